// Elements, lists, menus and forms. Texts of people become text nodes, never markup.

export const find = (selector, root = document) => root.querySelector(selector);

/** el("p.quiet", { lang: "en" }, "Noon"): tag and classes; properties, else attributes; children. */
export function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = Object.assign(document.createElement(name), { className: classes.join(" ") });
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child || child === 0));
  return element;
}

export const button = (label, onclick, kind = "") => el(`button.${kind}`, { type: "button", onclick }, label);

/** Sets a text only if it has changed, so that screen readers do not read it again. */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const stamps = new WeakMap();
/** Shows one child per item. Children with an unchanged `stamp` are kept, and with them the focus. */
export function showList(parent, items, { key, stamp, build }) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const [name, mark] = [String(key(item)), JSON.stringify(stamp(item))];
    const old = present.get(name);
    if (old && stamps.get(old) === mark) return old;
    const fresh = build(item);
    fresh.dataset.key = name;
    stamps.set(fresh, mark);
    return fresh;
  });
  const kept = new Set(wanted);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  wanted.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

/** A menu below `anchor`. `entries` are [label, action]; false entries are left out. */
export function openMenu(anchor, entries) {
  const menu = find("#menu");
  const choose = ([label, act]) => button(label, () => (menu.hidePopover(), act()));
  const choices = entries.filter(Boolean).map(choose);
  choices[0].autofocus = true;
  menu.replaceChildren(...choices);
  menu.showPopover();
  const [box, own] = [anchor.getBoundingClientRect(), menu.getBoundingClientRect()];
  menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - own.width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(box.bottom, innerHeight - own.height - 8))}px`;
}

/** A form that calls `act(values)`. `fields` are { name, label, … } of an input, or of a textarea if `rows` is set. */
export function form({ fields, submit, act }, ...before) {
  const input = (one) => el(one.rows ? "textarea" : "input", one);
  const inputs = fields.map(({ label, ...one }) => el("label", {}, label, input(one)));
  const error = el("p.error", { role: "alert" });
  const made = el("form", {}, ...before, ...inputs, error, el("button", {}, submit));
  onSubmit(made, act);
  return made;
}

/** Calls `act(values)` on submit. Meanwhile the form is disabled; a problem is shown in its .error. */
export function onSubmit(made, act) {
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [send, error] = [find("button:not([type])", made), find(".error", made)];
    error.textContent = "";
    send.disabled = true;
    try {
      await act(Object.fromEntries(new FormData(made)));
    } catch (problem) {
      const messages = Object.values(problem.body?.errors ?? {}).flat();
      error.textContent = messages.length > 1 ? messages.join(" ") : problem.message;
    }
    send.disabled = false;
  });
}

/** Shows a form in a dialog that stays open until `act(values)` succeeds. */
export function ask({ title, text, fields = [], submit, act }) {
  const dialog = find("#ask");
  const close = () => dialog.close();
  const made = form(
    { fields, submit, act: async (values) => (await act(values), close()) },
    el("h2", { id: "ask-title" }, title),
    el("p", {}, text),
  );
  made.append(button("Cancel", close, "plain"));
  dialog.replaceChildren(made);
  dialog.showModal();
}

/** Shows a passing message, which screen readers announce. */
export function say(text) {
  const notice = find("#notice");
  notice.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (notice.textContent = ""), 6000);
}

/** Wraps an event handler: problems are shown. */
export const trying = (act) => async (...given) => {
  try {
    await act(...given);
  } catch (problem) {
    say(problem.message);
  }
};

const format = (options) => (at) => new Intl.DateTimeFormat(undefined, options).format(new Date(at));
export const clock = format({ hour: "2-digit", minute: "2-digit" });
export const day = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const date = format({ day: "numeric", month: "short" });
export const time = (at) => el("time", { dateTime: at }, day(at) === day(Date.now()) ? clock(at) : date(at));

/** The first letter of a name, on a colour made of the name. */
export function avatar(id, name) {
  const circle = el("span.avatar", { "data-letter": [...name][0].toUpperCase() });
  circle.style.setProperty("--hue", String(((id ?? 0) * 137) % 360));
  return circle;
}
