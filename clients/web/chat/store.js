// The state of the client: loads it from the server and applies events. It does not draw.

import { call, get, newKey, page } from "./api.js";

export const state = {
  me: null,
  /** By id, as in GET /auth/conversations; and the URL of the next page. */
  conversations: new Map(),
  moreConversations: null,
  people: new Map(),
  blocked: new Set(),
  /** GET /assistant, if there is one; and its answers by id, null if finished. */
  assistant: null,
  replies: new Map(),
  /** The conversation on the screen: { id, other, messages, gone, older, newer, isLoading }. */
  thread: null,
  /** Who is typing: a timer per conversation id. */
  typing: new Map(),
  /** Unsent messages: the body of POST /messages, with an idempotency `key` and perhaps a `problem`. */
  outbox: [],
  isConnected: true,
  isLoaded: false,
};

/** `show` is called once for all changes at one time. */
export const screen = { show() {}, isDue: false };

export function changed() {
  if (!screen.isDue) queueMicrotask(() => ((screen.isDue = false), screen.show()));
  screen.isDue = true;
}
const path = (id) => `auth/conversations/${encodeURIComponent(id)}`;
export const conversationWith = (id) => `conv_${Math.min(id, state.me.id)}_${Math.max(id, state.me.id)}`;

export function nameOf(id, username = "Deleted user") {
  const person = state.people.get(id);
  return person?.full_name || person?.username || username;
}

// --- Conversations ---
export async function loadConversations(address = "auth/conversations") {
  const { items, next } = await page(address);
  if (address !== state.moreConversations) state.conversations.clear();
  for (const one of items) state.conversations.set(one.conversation_id, one);
  state.moreConversations = next;
  changed();
  await loadPeople(items.map((one) => one.other_user_id));
}

async function loadPeople(ids) {
  const missing = ids.filter((id) => id && !state.people.has(id));
  if (missing.length === 0) return;
  for (const one of await get(`auth/people?ids=${missing}`)) state.people.set(one.id, one);
  changed();
}

let reloading = null;
/** Loads the list again, once for many events. */
function reloadSoon() {
  reloading ??= setTimeout(() => ((reloading = null), loadConversations().catch(() => {})), 300);
}

// --- The conversation on the screen ---
/** Opens a conversation at its end, or at a message. */
export async function openThread(id, at = null) {
  const pair = id.match(/^conv_(\d+)_(\d+)$/)?.slice(1).map(Number);
  const other = state.conversations.get(id)?.other_user_id ?? pair?.find((it) => it !== state.me.id) ?? null;
  const thread = { id, other, messages: [], gone: new Set(), older: null, newer: null, isLoading: true };
  state.thread = thread;
  changed();
  await loadMessages(thread, at);
  await loadPeople([thread.other]);
  if (thread.other === state.assistant?.user_id) await loadReplies();
}

async function loadMessages(thread, at = null) {
  try {
    // For a conversation that has not begun, this list is empty; the conversation's own would be an error.
    const query = `conversation_id=${encodeURIComponent(thread.id)}&limit=50${at ? `&before=${at + 1}` : ""}`;
    const { items, next, prev } = await page(`messages?${query}`);
    for (const message of items) put(thread, message);
    const [one] = items;
    thread.other ??= (one?.sender_id === state.me.id ? one.recipient_id : one?.sender_id) ?? null;
    Object.assign(thread, { older: next, newer: at && prev });
  } finally {
    thread.isLoading = false;
    changed();
  }
}

/** Loads the next page on a `side`: `older` or `newer`. */
export async function loadMore(thread, side) {
  const { items, next, prev } = await page(thread[side]);
  for (const message of items) put(thread, message);
  thread[side] = side === "older" ? next : prev;
  changed();
}

/** Adds or updates a message. An answer may be older than an event that came before it. */
function put(thread, message) {
  if (thread.gone.has(message.id)) return;
  const at = thread.messages.findIndex((one) => one.id >= message.id);
  const old = thread.messages[at];
  if (old?.id !== message.id) thread.messages.splice(at < 0 ? thread.messages.length : at, 0, message);
  else if (old.updated_at <= message.updated_at) {
    thread.messages[at] = { ...message, is_read: old.is_read || message.is_read };
  }
}

function drop(thread, id) {
  thread.gone.add(id);
  thread.messages = thread.messages.filter((one) => one.id !== id);
}

/** Marks messages as read, but only while the page has the focus. */
export async function markRead() {
  const { thread, me } = state;
  if (!thread || !document.hasFocus()) return;
  const unread = thread.messages.filter((one) => one.recipient_id === me.id && !one.is_read);
  if (unread.length === 0) return;
  for (const message of unread) message.is_read = true;
  Object.assign(state.conversations.get(thread.id) ?? {}, { unread_count: 0 });
  await call("PUT", `${path(thread.id)}/read`);
}

let typedAt = 0;
export async function tellTyping() {
  if (Date.now() - typedAt < 4000 || !state.conversations.has(state.thread.id)) return;
  typedAt = Date.now();
  await call("POST", `${path(state.thread.id)}/typing`);
}

// --- Writing ---
/** Sends now, or when the connection is back. With the key, a repetition creates no second message. */
export function send({ id, other }, content, parent_id) {
  const message = { conversation_id: id, recipient_id: other, content, parent_id };
  state.outbox.push({ ...message, key: newKey(), problem: "" });
  typedAt = 0;
  return flush();
}

const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
let isFlushing = false;
/** Ids of messages that this client has sent. */
const answered = new Set();

export async function flush() {
  if (isFlushing) return;
  isFlushing = true;
  changed();
  for (let one; (one = state.outbox.find((item) => !item.problem)); changed()) {
    const { key, problem, ...body } = one;
    try {
      const message = await call("POST", "messages", body, { "Idempotency-Key": key });
      answered.add(message.id);
      discard(one);
      arrive(message);
    } catch (error) {
      if (!error.passes) one.problem = error.message;
      // With a status, the server asks to wait; without one, the next connection sends it.
      else if (error.status) await wait(error.retryAfter || 5);
      else break;
    }
  }
  isFlushing = false;
}

export const retry = (one) => ((one.problem = ""), flush());
export function discard(one) {
  state.outbox = state.outbox.filter((item) => item !== one);
  changed();
}

export async function edit(message, content) {
  put(state.thread, await call("PUT", `messages/${message.id}`, { content }));
  changed();
}

export async function remove(message) {
  await call("DELETE", `messages/${message.id}`);
  drop(state.thread, message.id);
  changed();
}

export async function setBlocked(id, isBlocked) {
  await (isBlocked ? call("POST", "auth/blocks", { user_id: id }) : call("DELETE", `auth/blocks/${id}`));
  state.blocked[isBlocked ? "add" : "delete"](id);
  changed();
}

// --- The assistant ---
async function loadAssistant() {
  state.assistant = document.body.dataset.assistant && (await get("assistant").catch(() => null));
  if (state.assistant) state.people.set(state.assistant.user_id, { ...state.assistant, kind: "bot" });
}

async function loadReplies() {
  for (const one of await get("assistant/replies?limit=10")) {
    if (!one.finished_at && state.replies.get(one.id) !== null) state.replies.set(one.id, one);
  }
  changed();
}

/** Adds a part of an answer. If there is a gap before it, loads the whole answer. */
async function grow({ reply_id: id, offset, text }) {
  const reply = state.replies.get(id);
  const letters = [...(reply?.text ?? "")];
  if (reply && letters.length >= offset) reply.text = letters.slice(0, offset).join("") + text;
  else await loadReplies();
}

/** Hands the conversation over to a person, or back to the assistant. */
export const setPaused = (isPaused) =>
  call(isPaused ? "POST" : "DELETE", "assistant/handoff").then(loadAssistant).then(changed);
export const cancelReply = (id) => call("DELETE", `assistant/replies/${id}`);

// --- Events ---
/** Loads everything: when a stream begins, and when events were lost. */
export async function loadAll() {
  await Promise.all([loadAssistant(), loadConversations()]);
  state.blocked = new Set((await get("auth/blocks?limit=500")).map((one) => one.user_id));
  state.isLoaded = true;
  changed();
  if (state.thread) await loadMessages(state.thread);
}

/** Adds a new message, written by either of the two. */
function arrive(message) {
  const { thread, conversations, me } = state;
  if (thread?.id === message.conversation_id && !thread.newer) put(thread, message);
  const summary = conversations.get(message.conversation_id);
  if (!summary) return reloadSoon();
  if (summary.last_message_at < message.created_at) {
    summary.last_message = message.content.slice(0, 100);
    summary.last_message_at = message.created_at;
    summary.unread_count += message.recipient_id === me.id && !message.is_read ? 1 : 0;
  }
}

function seen({ conversation_id: id, reader_id: reader, message_id: only, up_to_message_id: last }) {
  const isSeen = (one) => one.sender_id !== reader && (only ? one.id === only : one.id <= last);
  const messages = state.thread?.id === id ? state.thread.messages : [];
  for (const message of messages.filter(isSeen)) message.is_read = true;
  if (reader === state.me.id) reloadSoon();
}

function stopTyping(id) {
  clearTimeout(state.typing.get(id));
  state.typing.delete(id);
  changed();
}

/** By type of event: applies its `data`. */
const HANDLERS = {
  "message.created"({ message }) {
    stopTyping(message.conversation_id);
    if (message.sender_id === state.me.id && !answered.has(message.id)) {
      // Our answer was lost or comes later, or another device sent this.
      const names = ["conversation_id", "parent_id", "content"];
      discard(state.outbox.find((one) => names.every((name) => one[name] === message[name])));
    }
    arrive(message);
  },
  "message.updated"({ message }) {
    if (state.thread?.messages.some((one) => one.id === message.id)) put(state.thread, message);
    reloadSoon();
  },
  "message.deleted"({ message_id: id, conversation_id: conversation }) {
    if (state.thread?.id === conversation) drop(state.thread, id);
    reloadSoon();
  },
  "message.read": seen,
  "conversation.read": seen,
  "block.created": (data) => state.blocked.add(data.user_id),
  "block.deleted": (data) => state.blocked.delete(data.user_id),
  typing({ conversation_id: id, expires_in: seconds }) {
    stopTyping(id);
    state.typing.set(id, setTimeout(() => stopTyping(id), seconds * 1000));
  },
  "reply.started": ({ reply_id: id, ...data }) => state.replies.set(id, { id, text: "", ...data }),
  "reply.delta": grow,
  "reply.finished": (data) => state.replies.set(data.reply_id, null),
};

/** Applies an event. People may answer as the assistant, and end that by resolving a report: so ask again. */
export async function apply(type, event) {
  await HANDLERS[type]?.(event.data);
  const sender = event.data?.message?.sender_id;
  if (type === "report.updated" || sender === state.assistant?.user_id) await loadAssistant();
  changed();
}
