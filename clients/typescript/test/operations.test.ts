// The types that openapi-typescript makes of the description, against what the server answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isProblem, MessagingClient, Problem, unwrap } from "ai-messaging-client";
import { baseUrl, made, password, send, signUp } from "./people.js";

const [dora, doraUser] = await signUp("dora");
const [emil, emilUser] = await signUp("emil");

test("a message is sent once under one key", async () => {
  const ask = () =>
    dora.api.POST("/messages", {
      params: { header: { "Idempotency-Key": "first" } },
      body: { recipient_id: emilUser.id, content: "one" },
    });

  const [first, again] = [await ask(), await ask()];

  assert.equal(first.data?.id, again.data?.id);
  assert.equal(first.response.headers.get("Idempotent-Replayed"), null);
  assert.equal(again.response.headers.get("Idempotent-Replayed"), "true");
});

test("pages follow the Link header to the last item", async () => {
  for (const content of ["two", "three", "four", "five"]) await send(dora, emilUser, content);

  const pages: string[][] = [];
  const query = { limit: 2 };
  for await (const page of emil.pages(emil.api.GET("/messages/received", { params: { query } }))) {
    pages.unshift(page.map((message) => message.content));
  }

  assert.deepEqual(pages, [["one"], ["two", "three"], ["four", "five"]]);
  const newest = await unwrap(emil.api.GET("/messages", { params: { query: { limit: 1 } } }));
  const after = { limit: 1, after: newest[0]!.id - 2 };
  const newer = [];
  for await (const page of emil.pages(emil.api.GET("/messages", { params: { query: after } }), "prev")) newer.push(page);
  assert.deepEqual(newer.flat().map((message) => message.content), ["four", "five"]);
});

test("a link to another origin is not followed", async () => {
  const asked = emil.api.GET("/messages");
  const { response } = await asked;
  const link = { Link: '<https://evil.example/messages?before=2>; rel="next"' };
  const forged = Object.defineProperty(made([], 200, link), "url", { value: response.url });

  const pages = emil.pages(Promise.resolve({ data: [1], response: forged }));

  assert.deepEqual((await pages.next()).value, [1]);
  await assert.rejects(pages.next(), /leads elsewhere/);
});

test("an error is a Problem with a code that the compiler knows", async () => {
  const { id } = await send(dora, emilUser, "six");
  const asked = () => emil.api.PUT("/messages/{id}", { params: { path: { id } }, body: { content: "sechs" } });

  const refused = await unwrap(asked()).catch((error: unknown) => error);

  assert(isProblem(refused, "not_sender", "blocked"));
  assert.equal(refused.code, "not_sender");
  assert.equal(refused.message, "Only the sender can update this message");
  assert.equal(refused.response.status, 403);
  assert(!isProblem(refused, "not_found"));
  assert(!isProblem(new Error("no")));
  // @ts-expect-error: there is no such code.
  assert(!isProblem(refused, "no_such_code"));
  const { error } = await asked();
  // @ts-expect-error: no such code is listed for this operation.
  assert(error?.code !== "not_recipient");
  assert.equal(error?.code, "not_sender");
});

test("what is wrong with a field is in `codes`", async () => {
  const body = { username: doraUser.username.toUpperCase(), email: "other@example.org", password };
  const refused = await unwrap(dora.api.POST("/auth/register", { body })).catch((error: unknown) => error);

  assert(isProblem(refused, "invalid"));
  assert.deepEqual(refused.body.codes, { username: ["taken"] });
});

test("codes of a stranger, of a wrong password and of what is missing", async () => {
  const stranger = new MessagingClient({ baseUrl });
  const code = (asked: Promise<unknown>) =>
    asked.then(
      () => "none",
      (error: unknown) => error instanceof Problem && error.code,
    );

  assert.equal(await code(unwrap(stranger.api.GET("/auth/me"))), "not_authenticated");
  const wrong = { username: doraUser.username, password: "wrong-password-9" };
  assert.equal(await code(stranger.logIn(wrong)), "invalid_credentials");
  const path = { id: 2 ** 50 };
  assert.equal(await code(unwrap(dora.api.GET("/messages/{id}", { params: { path } }))), "not_found");
});

test("what a proxy answers in its own form is a Problem, too", async () => {
  const html = () => Promise.resolve(new Response("<h1>Bad Gateway</h1>", { status: 502 }));
  const chat = new MessagingClient({ baseUrl, fetch: html });

  await assert.rejects(unwrap(chat.api.GET("/auth/me")), { code: "unavailable", message: /HTTP 502/ });
});
