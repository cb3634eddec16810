import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type LiveEvent, MessagingClient } from "ai-messaging-client";
import { baseUrl, problem, send, signUp } from "./people.js";

const LIMIT = { timeout: 60_000 };

/** A stream of these frames, which then breaks. */
const stream = (...frames: string[]) =>
  new Response(frames.map((frame) => `${frame}\n\n`).join(""), { headers: { "Content-Type": "text/event-stream" } });
const frame = (id: number, cursor = "") =>
  `event: message.deleted\n${cursor && `id: ${cursor}\n`}data: {"id":"${id}","type":"message.deleted","data":{}}`;
const hello = (cursor: string) => `event: hello\nid: ${cursor}\ndata: {"cursor":"${cursor}"}`;

/** A client to whose requests for the stream these answers are given, and with which cursors it came. */
function scripted(...answers: (() => Response)[]) {
  const cursors: (string | null)[] = [];
  const fetch = async (request: Request) => {
    cursors.push(request.headers.get("Last-Event-ID"));
    return answers.shift()?.() ?? problem(403, "scope_missing");
  };
  return { cursors, chat: new MessagingClient({ baseUrl, fetch }) };
}

async function collect(events: AsyncIterable<LiveEvent>) {
  const found: string[] = [];
  try {
    for await (const event of events) found.push("id" in event ? event.id : `${event.type} ${event.cursor}`);
  } catch (error) {
    found.push(String(error));
  }
  return found;
}

test("each event comes once and in order, though the connection breaks", LIMIT, async () => {
  let streams = 0;
  let breakIt = () => {};
  const fetch = async (request: Request) => {
    const answer = await globalThis.fetch(request);
    if (!request.url.endsWith("/events/stream") || ++streams > 1) return answer;
    const start = (controller: TransformStreamDefaultController) => {
      breakIt = () => controller.error(new TypeError("terminated"));
    };
    return new Response(answer.body?.pipeThrough(new TransformStream({ start })), answer);
  };
  const [lena, user] = await signUp("lena", { fetch });
  const [max] = await signUp("max");

  const found: string[] = [];
  for await (const event of lena.events()) {
    if (event.type === "hello") {
      await send(max, user, "one");
    } else if (event.type === "message.created") {
      found.push(event.data.message.content);
      if (found.length === 3) break;
      if (found.length > 1) continue;
      breakIt();
      await send(max, user, "two");
      await send(max, user, "three");
    }
  }

  assert.deepEqual(found, ["one", "two", "three"]);
  assert.equal(streams, 2);
});

test("a stream goes on after a cursor that was kept", LIMIT, async () => {
  const [nora, user] = await signUp("nora");
  const [otto] = await signUp("otto");
  let cursor = "";
  for await (const event of nora.events()) {
    if (event.type === "hello") await send(otto, user, "one");
    if (event.type === "message.created") {
      cursor = event.cursor;
      break;
    }
  }
  await send(otto, user, "two");

  for await (const event of nora.events({ after: cursor })) {
    if (event.type !== "message.created") continue;
    assert.equal(event.data.message.content, "two");
    break;
  }
});

test("who types is shown each time", LIMIT, async () => {
  const [paul, user] = await signUp("paul");
  const [quinn, quinnUser] = await signUp("quinn");
  const { conversation_id } = await send(quinn, user, "Noon?");
  const typing = () =>
    quinn.api.POST("/auth/conversations/{conversation_id}/typing", { params: { path: { conversation_id } } });

  let seen = 0;
  for await (const event of paul.events()) {
    if (event.type === "hello") await typing();
    if (event.type !== "typing") continue;
    assert.deepEqual(event.data, { conversation_id, user_id: quinnUser.id, expires_in: 6 });
    seen += 1;
    if (seen === 2) break;
    await typing();
  }
});

test("a stream ends with its session", LIMIT, async () => {
  const [rosa] = await signUp("rosa");
  const found: string[] = [];
  const read = async () => {
    for await (const event of rosa.events()) {
      found.push(event.type);
      if (event.type === "hello") await rosa.api.POST("/auth/logout-all");
    }
  };

  await assert.rejects(read(), { code: "not_authenticated" });

  assert.deepEqual(found, ["hello", "session.ended"]);
});

test("events that come again after a break are left out", LIMIT, async () => {
  const { chat, cursors } = scripted(
    () => stream("retry: 1", hello("a"), frame(1), frame(2)),
    () => stream("retry: 1", hello("a"), frame(1), frame(2), frame(3, "b"), frame(4, "c")),
  );

  assert.deepEqual(await collect(chat.events()), ["hello a", "1", "2", "3", "4", "Problem: No."]);
  assert.deepEqual(cursors, [null, "a", "c"]);
});

test("a reset is told, and the stream goes on from its cursor", LIMIT, async () => {
  const { chat, cursors } = scripted(() =>
    stream("retry: 1", 'event: reset\nid: new\ndata: {"cursor":"new"}', frame(9, "newer")),
  );

  assert.deepEqual(await collect(chat.events({ after: "old" })), ["reset new", "9", "Problem: No."]);
  assert.deepEqual(cursors, ["old", "newer"]);
});

test("a server that is busy is asked again when it says", LIMIT, async () => {
  const { chat, cursors } = scripted(
    () => stream("retry: 1"),
    () => problem(503, "unavailable", {}, { "Retry-After": "1" }),
    () => stream(hello("a")),
  );
  const start = Date.now();

  assert.deepEqual(await collect(chat.events()), ["hello a", "Problem: No."]);

  assert(Date.now() - start >= 1000);
  assert.deepEqual(cursors, [null, null, null, "a"]);
});

test("a signal ends it, while it reads and while it waits", LIMIT, async () => {
  const [tina] = await signUp("tina");
  const [reading, waiting] = [new AbortController(), new AbortController()];

  for await (const event of tina.events({ signal: reading.signal })) {
    assert.equal(event.type, "hello");
    setTimeout(() => reading.abort(), 50);
  }

  const { chat } = scripted(() => stream("retry: 30000"));
  setTimeout(() => waiting.abort(), 50);
  assert.deepEqual(await collect(chat.events({ signal: waiting.signal })), []);
});

/** Node.js may forget the signal of a request that has been answered: its links are weak. */
async function collectGarbage() {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let round = 0; round < 5; round++) {
    await pause(20);
    collect();
  }
}

const leaving: [string, (controller: AbortController) => boolean][] = [
  ["a break", () => true],
  ["a signal", (controller) => (controller.abort(), false)],
];
for (const [name, leave] of leaving) {
  test(`${name} closes the connection, though garbage was collected`, LIMIT, async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(`retry: 30000\n\n${hello("a")}\n\n`);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const chat = new MessagingClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    const [controller, began] = [new AbortController(), Date.now()];
    const opened = once(server, "request").then(([, response]) => once(response, "close"));
    const closed = Promise.race([opened.then(() => "closed"), pause(5000, "still open")]);

    for await (const { type } of chat.events({ signal: controller.signal })) {
      assert.equal(type, "hello");
      await collectGarbage();
      if (leave(controller)) break;
    }

    assert.equal(await closed, "closed");
    assert(Date.now() - began < 20_000, "it waits before it connects again, though nobody wants it to");
    server.closeAllConnections();
    server.close();
  });
}
