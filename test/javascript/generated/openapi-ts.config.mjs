export default {
  input: "../../../gateway/api/openapi.yaml",
  output: { path: "made/hey-api", module: { extension: ".js" } },
};
