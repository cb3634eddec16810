import type { Block, Message, ReplyState, Report } from "./api.js";
import { isProblem } from "./problems.js";

export interface EventData extends Record<"message.created" | "message.updated", { message: Message }> {
  "message.deleted": { message_id: number; conversation_id: string };
  "message.delivery": { message_id: number; state: string; error_code: number | null };
  "message.read": { message_id: number; conversation_id: string; reader_id: number };
  "conversation.read": { conversation_id: string; reader_id: number; up_to_message_id: number };
  "block.created": Block;
  "block.deleted": { user_id: number };
  "report.updated": Report;
  "session.ended": { session_id: number; reason: string };
  "reply.started": { reply_id: number; conversation_id: string; question_id: number };
  "reply.delta": { reply_id: number; offset: number; text: string };
  "reply.finished": { reply_id: number; state: ReplyState; answer_id: number | null };
  typing: { conversation_id: string; user_id: number; expires_in: number };
}
type Change = { [K in keyof EventData]: { type: K; id: string; created_at: string; data: EventData[K] } };
/** `hello` comes first: load your lists then. `reset` means that events were lost: load them again.
 * To continue after an event, call `events({ after: event.cursor })`. */
export type LiveEvent = (Change[keyof EventData] | { type: "hello" | "reset" }) & { cursor: string };
export type EventOptions = { after?: string; signal?: AbortSignal };
export type Open = (cursor: string, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;

/** Milliseconds. The server sends a comment every 15 seconds. */
const SILENCE = 40_000;
const LONGEST_PAUSE = 30_000;

/** Yields each event once. Opens the stream again whenever it ends. */
export async function* readEvents(open: Open, options: EventOptions): AsyncGenerator<LiveEvent> {
  const { after, signal } = options;
  let [cursor, pause, failures, greeted] = [after ?? "", 1000, 0, false];
  // Ids since the last cursor: if the stream breaks before the next one, these events come again.
  const seen = new Set<string>();
  while (!signal?.aborted) {
    try {
      for await (const { event, id, data, retry } of readFrames(open, cursor, signal)) {
        failures = 0;
        if (retry) pause = Number(retry) || pause;
        if (!event || !data) continue;
        if (event === "hello" && greeted) continue;
        greeted = true;
        const content = { type: event, ...JSON.parse(data) };
        const isNew = !seen.has(content.id);
        seen.add(content.id);
        if (id) seen.clear();
        if (id) cursor = id;
        if (isNew) yield { ...content, cursor };
      }
    } catch (error) {
      if (signal?.aborted) return;
      const status = isProblem(error) ? error.response.status : 0;
      if (status && status < 500 && status !== 429) throw error;
      failures += 1;
      if (isProblem(error)) await sleep(1000 * Number(error.response.headers.get("Retry-After")), signal);
    }
    await sleep(Math.min(pause * 2 ** failures, LONGEST_PAUSE), signal);
  }
}

async function* readFrames(open: Open, cursor: string, signal: AbortSignal | undefined) {
  const opening = new AbortController();
  let reader: ReadableStreamDefaultReader<string> | undefined;
  // Node.js may forget the signal of a request once it is answered (it holds it weakly), so the reader ends as well.
  const end = () => void (opening.abort(), reader?.cancel().catch(() => {}));
  let timer = setTimeout(end, SILENCE);
  signal?.addEventListener("abort", end, { signal: opening.signal });
  try {
    const decoder = new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>;
    reader = (await open(cursor, opening.signal)).pipeThrough(decoder).getReader();
    for (let text = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE);
      const blocks = (text + value).split("\n\n");
      text = blocks.pop() ?? "";
      const lines = blocks.map((block) => block.split("\n").map((line) => line.split(/: ?(.*)/, 2)));
      for (const fields of lines) yield Object.fromEntries(fields) as Record<string, string | undefined>;
    }
  } finally {
    clearTimeout(timer);
    end();
  }
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, signal?.aborted ? 0 : milliseconds);
    signal?.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
}
