/* The list of photographs: selecting and removing them. */

import { $, clamp, count, icon, ICONS, make, STATES, UNSETTLED, write } from "./basics.js";
import { say } from "./words.js";
import { state } from "./state.js";
import { cancel, discard, pump } from "./work.js";
import { paintAll, paintSoon } from "./painting.js";
import { paintForm } from "./form.js";

export function makeItem(photo) {
  const parts = ["thumb", "meter", "badge", "item-name"].map((className) => make("span", { className }));
  parts[3].textContent = photo.label;
  const node = make("div", { className: "item", role: "option", title: photo.folder + photo.name }, ...parts);
  node.onclick = () => select(photo, true);
  return node;
}

export function paintItem(photo) {
  const { item, state: now, latest } = photo;
  const shown = photo === state.shown;
  item.setAttribute("aria-selected", String(shown));
  item.setAttribute("aria-label", `${photo.label}, ${STATES[now]}`);
  item.tabIndex = shown ? 0 : -1;
  item.style.setProperty("--progress", Math.max(0.04, latest.job?.progress ?? 0));
  if (item.dataset.state === now) return;
  item.dataset.state = now;
  item.children[2].replaceChildren(...(ICONS[now] ? [icon(ICONS[now])] : []));
}

export function select(photo, focus = false) {
  const before = state.shown;
  state.shown = photo;
  if (before && before !== photo) paintItem(before);
  if (photo) {
    paintItem(photo);
    if (focus) photo.item.focus({ preventScroll: true });
    photo.item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  paintSoon();
}

export function move(by, focus) {
  const next = state.photos[clamp(state.photos.indexOf(state.shown) + by, 0, state.photos.length - 1)];
  if (next !== state.shown) select(next, focus);
}

function remove(photo) {
  const focus = document.activeElement === photo.item;
  const at = state.photos.indexOf(photo);
  for (const run of photo.runs) {
    cancel(run);
    discard(run);
  }
  photo.item.remove();
  if (photo.url) URL.revokeObjectURL(photo.url);
  state.photos.splice(at, 1);
  if (photo === state.shown) select(state.photos[Math.min(at, state.photos.length - 1)] ?? null, focus);
  say(`${photo.name} removed.`);
  paintAll();
  if (!state.shown) $("choose-files").focus();
  pump();
}

/** Ask before something is lost; answer whether to go on. */
async function confirmed(title, text, no, yes) {
  for (const [id, words] of Object.entries({ "ask-title": title, "ask-text": text, "ask-no": no, "ask-yes": yes })) write(id, words);
  const dialog = $("ask-dialog");
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}

export async function askToRemove(photo) {
  const [working, unsaved] = [UNSETTLED.has(photo.state), photo.results.some((run) => !run.saved)];
  const loss = unsaved ? "Its result was not downloaded." : "It is not restored yet.";
  if ((working || unsaved) && !(await confirmed(`Remove ${photo.name}?`, loss, "Keep it", "Remove"))) return;
  if (state.photos.includes(photo)) remove(photo);
}

export async function startOver() {
  const many = count(state.photos.length, "photograph");
  const text = `${many} and the results are removed from this page and from the server. Your files stay as they are.`;
  if (!(await confirmed("Start over?", text, "Keep them", "Start over"))) return;
  Object.assign(state, { skipped: [], usual: {} });
  [...state.photos].reverse().forEach(remove);
  paintForm();
}
