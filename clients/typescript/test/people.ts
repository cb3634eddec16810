// Against the server at BASE_URL, which other tests use, too: everybody here is somebody new.
import assert from "node:assert/strict";
import { type ClientOptions, MessagingClient, unwrap, type User } from "ai-messaging-client";

export const baseUrl = process.env.BASE_URL ?? "";
assert(baseUrl, "BASE_URL names a running server");
export const password = "violet-tractor-42";

export async function signUp(name: string, options: Partial<ClientOptions> = {}): Promise<[MessagingClient, User]> {
  const username = `${name}-${crypto.randomUUID().slice(0, 8)}`;
  const chat = new MessagingClient({ baseUrl, ...options });
  const body = { username, email: `${username}@example.org`, password };
  await unwrap(chat.api.POST("/auth/register", { body }));
  return [chat, await chat.logIn({ username, password })];
}

export const send = (chat: MessagingClient, to: User, content: string) =>
  unwrap(chat.api.POST("/messages", { body: { recipient_id: to.id, content } }));

/** An answer that no server gave. */
export const made = (content: unknown, status: number, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(content), { status, headers: { "Content-Type": "application/json", ...headers } });

export const problem = (status: number, code: string, more: object = {}, headers: Record<string, string> = {}): Response =>
  made({ type: "about:blank", title: "No", status, detail: "No.", code, ...more }, status, headers);
