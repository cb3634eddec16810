export type * from "./api.js";
export * from "./client.js";
export type { EventData, EventOptions, LiveEvent } from "./events.js";
export { isProblem, Problem, type ProblemBody, type ProblemCode, unwrap } from "./problems.js";
