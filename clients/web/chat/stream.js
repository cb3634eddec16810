// Reads GET /events/stream with fetch(): EventSource cannot send the token.

import { request } from "./api.js";

// The server sends a comment every 15 seconds.
const SILENCE = 40_000;
const LONGEST_WAIT = 30_000;

/**
 * Calls `onEvent(type, event)` exactly once for every event, until `signal` aborts or the session ends. The
 * type is `hello` when a stream begins, `resumed` when it continues, and `reset` when lists must be loaded again.
 * Calls `onState(isConnected)` when the connection comes and goes.
 */
export async function follow({ signal, onEvent, onState }) {
  const place = { cursor: "", retry: 2000, seen: new Set() };
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      await readOnce(place, signal, onEvent, () => ((failures = 0), onState(true)));
    } catch (error) {
      if (signal.aborted || error.status === 401) return;
    }
    onState(false);
    await pause(Math.min(LONGEST_WAIT, place.retry * 2 ** failures) * (0.5 + Math.random() / 2), signal);
  }
}

async function readOnce(place, signal, onEvent, onOpen) {
  const breaking = new AbortController();
  const broken = () => breaking.abort();
  let timer = setTimeout(broken, SILENCE);
  window.addEventListener("offline", broken);
  try {
    const headers = { Accept: "text/event-stream", ...(place.cursor && { "Last-Event-ID": place.cursor }) };
    const response = await request("events/stream", { headers, signal: AbortSignal.any([signal, breaking.signal]) });
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let [rest, fields] = ["", {}];
    for (let part; !(part = await reader.read()).done; ) {
      clearTimeout(timer);
      timer = setTimeout(broken, SILENCE);
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const [, name, text] = line.match(/^(\w+): ?(.*)$/) ?? [];
        if (name) fields[name] = text;
        else if (line === "") fields = take(fields, place, onEvent);
      }
    }
  } finally {
    clearTimeout(timer);
    window.removeEventListener("offline", broken);
    broken();
  }
}

/** Of events that are sent together, only the last has an id: after a break, some may come again. */
function take(fields, place, onEvent) {
  if (fields.retry) place.retry = Number(fields.retry);
  if (fields.data) {
    const event = JSON.parse(fields.data);
    const type = fields.event === "hello" && place.cursor ? "resumed" : fields.event;
    if (!event.id || !place.seen.has(event.id)) onEvent(type, event);
    if (event.id) place.seen.add(event.id);
  }
  if (fields.id) Object.assign(place, { cursor: fields.id, seen: new Set() });
  return {};
}

/** Ends early if the machine comes online. */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    window.addEventListener("online", resolve, { once: true });
    signal.addEventListener("abort", resolve, { once: true });
  });
}
