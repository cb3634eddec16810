// The list of conversations, and the search for people and messages.

import { get } from "./api.js";
import { avatar, button, el, find, showList, time, trying } from "./dom.js";
import { conversationWith, loadConversations, nameOf, openThread, state } from "./store.js";

const KINDS = { bot: "automated", contact: "by phone" };
export const badge = (kind) => KINDS[kind] && el("span.badge", {}, KINDS[kind]);

function row({ thread, id, name, kind, text, at, unread, onclick }) {
  const count = unread > 0 && el("span.count", {}, String(unread), el("span.hidden", {}, " unread"));
  const head = el("span.head", {}, el("strong", {}, name), badge(kind), at && time(at));
  const what = el("span.what", {}, head, el("span.head", {}, el("span.text", {}, text), count));
  const current = state.thread?.id === thread ? "page" : undefined;
  const link = { href: `#${thread}`, onclick: onclick ?? null, "aria-current": current };
  return el("li", {}, el("a", link, avatar(id, name), what));
}

export function showConversations() {
  const { assistant, conversations, me, thread } = state;
  const own = me.full_name || me.username;
  find("#me").replaceChildren(avatar(me.id, own), own);
  find("#me").ariaLabel = `${own}: your account`;
  const items = [...conversations.values()].sort((a, b) => (a.last_message_at < b.last_message_at ? 1 : -1));
  const rows = items.map((one) => ({
    thread: one.conversation_id,
    id: one.other_user_id,
    name: nameOf(one.other_user_id, one.other_user_name),
    kind: one.other_user_kind,
    text: state.typing.has(one.conversation_id) ? "is typing …" : one.last_message,
    at: one.last_message_at,
    unread: one.unread_count,
  }));
  if (assistant && !items.some((one) => one.other_user_id === assistant.user_id)) {
    const [id, name] = [assistant.user_id, nameOf(assistant.user_id)];
    rows.unshift({ thread: conversationWith(id), id, name, kind: "bot", text: "Ask a question" });
  }
  const none = state.isLoaded ? "Nobody has written yet. Search for somebody to write to." : "Loading …";
  const more = button("More", trying(() => loadConversations(state.moreConversations)), "link");
  if (rows.length === 0) rows.push({ thread: none, node: el("li.quiet", {}, none) });
  if (state.moreConversations) rows.push({ thread: "more", node: el("li", {}, more) });
  const stamp = (one) => [one, one.thread === thread?.id];
  const shape = { key: (one) => one.thread, stamp, build: (one) => one.node ?? row(one) };
  showList(find("#conversations"), rows, shape);
  const unread = items.reduce((sum, one) => sum + one.unread_count, 0);
  document.title = document.title.replace(/^(\(\d+\) )?/, unread ? `(${unread}) ` : "");
}

let searches = 0;
async function search(text) {
  const number = (searches += 1);
  find("#conversations").hidden = text !== "";
  find("#found").hidden = text === "";
  if (text === "") return;
  const query = encodeURIComponent(text);
  // The directory wants more than one letter of an alphabet.
  const tooShort = (problem) => (problem.status === 400 ? [] : Promise.reject(problem));
  const inDirectory = get(`auth/directory?search=${query}`).catch(tooShort);
  const [people, messages] = await Promise.all([inDirectory, get(`messages?limit=50&search=${query}`)]);
  if (number !== searches) return; // The user has typed on.
  for (const one of people) state.people.set(one.id, one);
  const onclick = () => (find("#search").reset(), search(""));
  const persons = people.map((one) => row({ ...one, ...about(one.id), text: `@${one.username}`, onclick }));
  const texts = messages.reverse().map((one) => {
    const other = one.sender_id === state.me.id ? one.recipient_id : one.sender_id;
    const thread = one.conversation_id;
    const onclick = (event) => {
      event.preventDefault();
      history.pushState(null, "", `#${thread}`);
      trying(openThread)(thread, one.id);
    };
    return row({ ...about(other), thread, text: one.content, at: one.created_at, onclick });
  });
  const part = (title, rows) => [el("h2", {}, `${title}: ${rows.length || "none"}`), el("ul", {}, ...rows)];
  find("#found").replaceChildren(...part("People", persons), ...part("Messages", texts));
}

const about = (id) => ({ id, name: nameOf(id), thread: conversationWith(id) });

export function prepareSidebar() {
  let timer;
  find("#search").onsubmit = (event) => event.preventDefault();
  find("#search").oninput = ({ target }) => {
    clearTimeout(timer);
    timer = setTimeout(() => trying(search)(target.value.trim()), 350);
  };
}
