// Connects the parts: the login, the URL, and the event stream.

import { get, session } from "./api.js";
import { find, say, trying } from "./dom.js";
import { enter, prepareEntrance } from "./entrance.js";
import { openSettings } from "./settings.js";
import { prepareSidebar, showConversations } from "./sidebar.js";
import { apply, changed, flush, loadAll, markRead, openThread, screen, state } from "./store.js";
import { follow } from "./stream.js";
import { prepareThread, showThread } from "./thread.js";

const stop = new AbortController();

async function start() {
  state.me = await get("auth/me");
  [find("#entrance").hidden, find("#chat").hidden] = [true, false];
  showAddress();
  follow({ signal: stop.signal, onState, onEvent: trying(onEvent) });
}

const starting = () => start().catch((problem) => enter("login", problem.message));

function onState(isConnected) {
  state.isConnected = isConnected;
  if (isConnected) flush();
  changed();
}

async function onEvent(type, event) {
  if (type === "hello" || type === "reset") await loadAll();
  if (type === "report.updated") say(`There is news of your report “${event.data.title}”.`);
  // If it is this session, the answer is a 401, and the session ends here, too.
  if (type === "session.ended") await get("auth/me");
  await apply(type, event);
}

/** The fragment of the URL is the id of the conversation on the screen. */
function showAddress() {
  const id = location.hash.slice(1);
  if (!state.me || state.thread?.id === id) return;
  if (id) return trying(openThread)(id);
  state.thread = null;
  changed();
}

session.onEnd = () => {
  stop.abort();
  // The next user must not see what this one has read.
  location.replace(location.pathname);
};
screen.show = () => (showConversations(), showThread());
window.onhashchange = showAddress;
window.onfocus = trying(markRead);
find("#me").onclick = trying(openSettings);
prepareSidebar();
prepareThread();
trying(prepareEntrance)(starting);
if (session.isOpen()) starting();
else enter();
