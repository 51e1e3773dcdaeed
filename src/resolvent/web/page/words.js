/* Sentences for people: how texts of the server are shown, and the messages of the page. */

import { $, debounce, make, write } from "./basics.js";
import { state } from "./state.js";

export const capital = (text) => (startsWithName(text) ? text : text.slice(0, 1).toUpperCase() + text.slice(1));
export const sentence = (text) => capital(text ?? "") + (!text || /[.!?…]$/.test(text) ? "" : ".");

/** Whether a text begins with the name of a file, or with that of a model or a method before a colon or the like. */
function startsWithName(text) {
  const tools = [...Object.keys(state.models), ...Object.keys(state.methods)];
  const after = (name, pattern) => text.startsWith(name) && pattern.test(text.slice(name.length));
  return /^[^\s:]+\.[a-z]\w{1,4}\b/i.test(text) || state.photos.some(({ name }) => after(name, /^\W|^$/)) ||
    tools.some((name) => after(name, /^[:,;]|^ \d/));
}

export function fillList(id, lines) {
  $(id).replaceChildren(...lines.map((line) => make("li", { textContent: sentence(line) })));
  $(id).hidden = !lines.length;
}

export const say = (text) => write("live", text);

const untoast = debounce(() => {
  $("toast").classList.remove("shown");
  write("toast", "");
}, 6000);

export function toast(text) {
  write("toast", text);
  $("toast").classList.add("shown");
  untoast();
}
