// What the hospitals' gateways tell together: no single one is believed.

import { Gateway } from "./gateway.mjs";

const PATIENCE = 60_000; // ms, for peers that are a block behind the others
const PAUSE = 200; // ms

export class Consortium {
  constructor(identity, bundle) {
    const members = bundle.organizations.filter(({ gateways }) => gateways?.length);
    this.gateways = members.map(({ gateways }) => new Gateway({ ...identity, url: gateways[0] }));
    this.threshold = Math.floor(members.length / 2) + 1;
  }

  /** What each hospital tells that answers: a majority at least. */
  async everywhere(read) {
    const answers = await Promise.allSettled(this.gateways.map((gateway) => read(gateway)));
    const told = answers.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
    if (told.length < this.threshold) throw answers.find(({ status }) => status === "rejected").reason;
    return told;
  }

  /**
   * What a majority tells in the same words. Those that never differ between honest
   * hospitals are picked by words; it is asked again while peers may be a block apart.
   */
  async majority(read, words = (told) => told) {
    return patiently(async () => {
      const told = await this.everywhere(read);
      const texts = told.map((one) => JSON.stringify(words(one)));
      const i = texts.findIndex((text) => texts.filter((other) => other === text).length >= this.threshold);
      if (i < 0) throw Object.assign(new Error("altered: the hospitals contradict each other"), { code: "altered" });
      return told[i];
    });
  }
}

/** Repeats what fails because a hospital is behind. */
export async function patiently(attempt) {
  for (const until = Date.now() + PATIENCE; ; ) {
    try {
      return await attempt();
    } catch (error) {
      const behind = error.retryable || error.code === "not_found" || error.code === "altered";
      if (!behind || Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
