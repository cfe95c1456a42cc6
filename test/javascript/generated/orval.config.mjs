export default {
  pie: {
    input: "../../../gateway/api/openapi.yaml",
    output: { target: "made/orval.ts", client: "fetch", mode: "single" },
  },
};
