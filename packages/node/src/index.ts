export * from "./config.ts";
export type * from "./ports.ts";
export type * from "./replica.ts";
