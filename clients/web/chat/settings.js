// The user's own account: profile, sessions, blocks, reports.

import { call, get, logOut } from "./api.js";
import { button, el, find, form, say, time, trying } from "./dom.js";
import { changed, setBlocked, state } from "./store.js";

const STATUS = { open: "Open", in_progress: "A moderator is on it", resolved: "Resolved" };

const quiet = (...children) => el("span.quiet", {}, ...children);
const row = (what, about, side) => el("li", {}, el("span", {}, what, quiet(...about)), side);
/** A button that acts on a row, and then shows the list again. */
const doing = (label, act) => button(label, trying(async () => (await act(), openSettings())), "plain");

function section(title, rows, none) {
  const list = el("ul.rows", {}, ...rows);
  return el("section", {}, el("h3", {}, title), rows.length ? list : quiet(none));
}

function profile(me) {
  const fields = [
    { name: "full_name", label: "Full name", value: me.full_name ?? "", autocomplete: "name" },
    { name: "bio", label: "About you", value: me.bio ?? "" },
    { name: "phone_number", label: "Phone, as +49 30 123456", value: me.phone_number ?? "", type: "tel" },
  ];
  const act = async (values) => {
    state.me = await call("PUT", "auth/me", values);
    changed();
    say("Your profile is saved.");
  };
  return form({ fields, submit: "Save the profile", act }, el("h3", {}, "Profile"));
}

function session(one) {
  const end = doing("End", () => call("DELETE", `auth/sessions/${one.id}`));
  const about = [one.ip_address, " · used ", time(one.last_used_at)];
  return row(one.device_info ?? "", about, one.is_current ? quiet("This one") : end);
}

export async function openSettings() {
  const dialog = find("#settings");
  const lists = ["auth/me", "auth/sessions", "auth/blocks", "reports?limit=20"].map(get);
  const [me, sessions, blocks, reports] = await Promise.all(lists);
  const unblock = (one) => doing("Unblock", () => setBlocked(one.user_id, false));
  const blocked = (one) => row(one.username, [time(one.created_at)], unblock(one));
  const about = (one) => [STATUS[one.status], one.comment && `: ${one.comment}`];
  const report = (one) => row(one.title, about(one), time(one.created_at));
  const everywhere = trying(() => call("POST", "auth/logout-all").then(logOut));
  const title = el("h2", { id: "settings-title" }, me.username, quiet(me.email));
  dialog.replaceChildren(
    el("header", {}, title, button("Close", () => dialog.close(), "plain")),
    profile(me),
    section("Sessions", sessions.map(session)),
    section("Blocked", blocks.map(blocked), "Nobody. You can block people in their conversation."),
    section("Your reports", reports.map(report), "None. You can report a message that you received."),
    el("footer", {}, button("Log out everywhere", everywhere, "plain"), button("Log out", logOut)),
  );
  if (!dialog.open) dialog.showModal();
}
