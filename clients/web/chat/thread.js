// The conversation on the screen: its messages, and the form for new ones.

import { call, newKey } from "./api.js";
import { ask, button, clock, day, el, find, openMenu, say, showList, tell, trying } from "./dom.js";
import { badge } from "./sidebar.js";
import * as store from "./store.js";

const { state } = store;
const [scroll, list, composer] = [find("#scroll"), find("#messages"), find("#composer")];
const box = find("textarea", composer);
/** What the form is for: an answer to a message, or an edit of one. */
let [replyTo, editing] = [null, null];
let [shown, loaded, first] = [null, null, null];

export function showThread() {
  const { thread, isConnected, outbox, replies } = state;
  find("#chat").className = thread ? "has-thread" : "";
  tell(find("#offline"), isConnected ? "" : "You are offline. What you write is sent when you are back.");
  if (!thread) return;
  const height = scroll.scrollHeight;
  const isAtEnd = height - scroll.scrollTop - scroll.clientHeight < 80 && find("#newer").hidden;
  if (shown !== thread.id) compose({ text: "" });
  shown = thread.id;
  showHead(thread);
  const last = thread.messages.at(-1);
  const pending = [...outbox, ...replies.values()].filter((one) => one?.conversation_id === thread.id);
  showList(list, [...withDays(thread.messages), ...pending], {
    key: (one) => one.key ?? (one.question_id ? `reply-${one.id}` : one.id),
    // A growing answer keeps its element: somebody may be pressing its button.
    stamp: (one) => (one.question_id ? one.id : [one, one === last, quoted(one.parent_id), isConnected]),
    build: (one) => (one.day ? el("li.day", {}, one.day) : build(one)),
  });
  const growing = pending.filter((one) => one.question_id);
  for (const one of growing) tell(find(`[data-key="reply-${one.id}"] .content`, list), one.text || "…");
  scroll.ariaBusy = String(thread.isLoading);
  for (const side of ["older", "newer"]) find(`#${side}`).hidden = !thread[side];
  // Keeps the scroll position, also at the end.
  if (loaded !== thread || isAtEnd) scroll.scrollTop = scroll.scrollHeight;
  else if (thread.messages[0]?.id !== first) scroll.scrollTop += scroll.scrollHeight - height;
  first = thread.messages[0]?.id;
  if (!thread.isLoading) loaded = thread;
  trying(store.markRead)();
}

function showHead({ id, other }) {
  const summary = state.conversations.get(id);
  const person = state.people.get(other);
  const name = store.nameOf(other, summary?.other_user_name);
  const assistant = other !== null && other === state.assistant?.user_id ? state.assistant : null;
  const isBlocked = state.blocked.has(other);
  tell(find("#with"), name);
  find("#about").replaceChildren(badge(person?.kind) ?? "", person ? ` @${person.username}` : "");
  const note = assistant?.paused ? "A person answers here." : assistant?.disclosure;
  tell(find("#note"), isBlocked ? "You blocked this user." : (note ?? ""));
  tell(find("#typing"), state.typing.has(id) ? `${name} is typing …` : "");
  composer.hidden = other === null || isBlocked;
  find("#more").hidden = other === null;
  find("#more").onclick = ({ currentTarget }) =>
    openMenu(currentTarget, [
      [isBlocked ? "Unblock" : "Block", trying(() => store.setBlocked(other, !isBlocked))],
      assistant?.paused === false && ["Ask for a person", trying(() => store.setPaused(true))],
      assistant?.paused && ["Let the assistant answer again", trying(() => store.setPaused(false))],
    ]);
}

function* withDays(messages) {
  let last = "";
  for (const message of messages) {
    const its = day(message.created_at);
    if (its !== last) yield { key: its, day: its };
    last = its;
    yield message;
  }
}

function quoted(id) {
  const message = state.thread.messages.find((one) => one.id === id);
  return message?.content.slice(0, 140) ?? "An earlier message";
}

function build(one) {
  const isReply = one.question_id !== undefined;
  const isMine = one.key !== undefined || one.sender_id === state.me.id;
  const author = el("span.hidden", {}, isMine ? "You: " : `${store.nameOf(state.thread.other)}: `);
  const quote = one.parent_id && el("blockquote", {}, quoted(one.parent_id));
  const content = el("p.content", {}, one.content ?? one.text);
  const foot = one.key ? pendingFoot(one) : isReply ? replyFoot(one) : messageFoot(one, isMine);
  const bubble = el("div.bubble", {}, author, quote, content, el("p.foot", {}, ...foot));
  // Screen readers read an answer when it is finished.
  const item = el(isMine ? "li.mine" : "li", { "aria-live": isReply ? "off" : undefined }, bubble);
  if (!one.key && !isReply) item.append(menuOf(one, isMine));
  return item;
}

function messageFoot(message, isMine) {
  const edited = message.updated_at > message.created_at && " · edited";
  const mark = isMine && (message.is_read ? " · Read" : " · Sent");
  return [el("time", { dateTime: message.created_at }, clock(message.created_at)), edited, mark];
}

function pendingFoot(one) {
  if (!one.problem) return [state.isConnected ? "Sending …" : "Waiting for the connection"];
  const repeat = button("Try again", () => store.retry(one), "link");
  return [`Not sent: ${one.problem} `, repeat, " ", button("Discard", () => store.discard(one), "link")];
}
const replyFoot = ({ id }) => ["Writing … ", button("Stop", trying(() => store.cancelReply(id)), "link")];

function menuOf(message, isMine) {
  const about = isMine ? "It disappears for both of you." : "It disappears for you alone.";
  const act = () => store.remove(message);
  const open = ({ currentTarget }) =>
    openMenu(currentTarget, [
      ["Reply", () => compose({ reply: message })],
      isMine && ["Edit", () => compose({ edit: message, text: message.content })],
      ["Delete", () => ask({ title: "Delete this message?", text: about, submit: "Delete", act })],
      !isMine && ["Report", () => report(message)],
    ]);
  // The list is one tab stop; arrow keys move within it.
  const tabIndex = message === state.thread.messages.at(-1) ? 0 : -1;
  const said = { ariaLabel: "What to do with this message", ariaHasPopup: "true", tabIndex };
  return Object.assign(button("⋯", open, "acts"), said);
}

function report(message) {
  const headers = { "Idempotency-Key": newKey() };
  ask({
    title: "Report this message",
    text: "Moderators see it, and up to five messages before and after it.",
    fields: [
      { name: "title", label: "What is wrong?", maxLength: 255, required: true },
      { name: "content", label: "Tell us more", rows: 4, required: true },
    ],
    submit: "Report",
    act: async (values) => {
      await call("POST", "reports", { ...values, message_id: message.id }, headers);
      say("Thank you. Your account shows what comes of it.");
    },
  });
}

/** Sets what the form is for. Without a text, it keeps its contents. */
function compose({ reply = null, edit = null, text = editing ? "" : box.value }) {
  [replyTo, editing, box.value] = [reply, edit, text];
  const about = reply ?? edit;
  find("#context").hidden = !about;
  const what = reply ? "Reply to" : "Edit";
  find("#context span").textContent = about && `${what}: ${about.content.slice(0, 80)}`;
  find("#composer > button").textContent = edit ? "Save" : "Send";
  if (about || matchMedia("(pointer: fine)").matches) box.focus();
}

async function submit(event) {
  event.preventDefault();
  const { thread } = state;
  if (!box.value.trim()) return;
  if (editing) await store.edit(editing, box.value);
  else {
    if (thread.newer) await store.openThread(thread.id);
    store.send(thread, box.value, replyTo?.id ?? null);
  }
  compose({ text: "" });
}

export function prepareThread() {
  composer.onsubmit = trying(submit);
  find("#context button").onclick = () => compose({});
  box.oninput = () => box.value.trim() && !editing && store.tellTyping().catch(() => {});
  box.onkeydown = (event) => {
    if (event.key === "Escape") compose({});
    const isNewLine = event.shiftKey || event.isComposing || !matchMedia("(pointer: fine)").matches;
    if (event.key === "Enter" && !isNewLine) trying(submit)(event);
  };
  const loading = (side) => trying(() => store.loadMore(state.thread, side));
  [find("#older").onclick, find("#newer").onclick] = [loading("older"), loading("newer")];
  list.onkeydown = (event) => {
    const all = [...list.querySelectorAll(".acts")];
    const at = all.indexOf(event.target) + { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!all[at]) return;
    all[at].focus();
    event.preventDefault();
  };
}
