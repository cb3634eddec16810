// The login, with its second step if the account has one, and the registration.

import { call, enterCode, get, logIn } from "./api.js";
import { ask, find, onSubmit, say } from "./dom.js";

let loginToken = "";
/** Shows one of the forms `login`, `code` and `register`. */
export function enter(name = "login", said = "") {
  find("#chat").hidden = true;
  find("#entrance").hidden = false;
  find("#entrance .said").textContent = said;
  for (const one of document.querySelectorAll("#entrance form")) one.hidden = one.id !== name;
  find(`#${name} input`).focus();
}

/** `onDone` is called when somebody is logged in. */
export async function prepareEntrance(onDone) {
  async function go(username, password) {
    try {
      await logIn(username, password);
    } catch (problem) {
      if (problem.code !== "second_factor_required") throw problem;
      loginToken = problem.body.login_token;
      return enter("code");
    }
    onDone();
  }
  onSubmit(find("#login"), ({ username, password }) => go(username, password));
  onSubmit(find("#code"), async ({ code }) => (await enterCode(loginToken, code.trim()), onDone()));
  onSubmit(find("#register"), async (values) => {
    const given = Object.entries(values).filter(([, value]) => value);
    await call("POST", "auth/register", Object.fromEntries(given));
    // The account exists, but a login may fail: its address may have to be verified first.
    await go(values.username, values.password).catch((problem) => enter("login", problem.message));
  });
  for (const one of document.querySelectorAll("[data-go]")) one.onclick = () => enter(one.dataset.go);
  find("#forgot").onclick = () =>
    ask({
      title: "Forgot the password?",
      text: "A mail with a link to set a new one is sent to you.",
      fields: [{ name: "email", type: "email", label: "E-mail address", required: true }],
      submit: "Send the mail",
      act: async (values) => say((await call("POST", "auth/password/reset", values)).message),
    });
  const config = await get("auth/config");
  find("#forgot").hidden = !config.mail;
  find("[data-go=register]").hidden = config.registration === "closed";
  find("#invitation").hidden = config.registration !== "invite";
}
