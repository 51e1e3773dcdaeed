/* How photographs come in: chosen, dropped, pasted, as a folder or a sample; and their thumbnails. */

import { $, byName, bytes, count, extension, make } from "./basics.js";
import { say, sentence, toast } from "./words.js";
import { send } from "./server.js";
import { Photo, Run, state } from "./state.js";
import { pump } from "./work.js";
import { paintItem, select } from "./filmstrip.js";
import { paintSkipped, paintSoon } from "./painting.js";
import { loaded } from "./page.js";

function reasonToSkip(file) {
  const { formats, hints, limits } = state.about;
  const hint = hints?.[extension(file.name)];
  if (hint) return hint;
  if (!Object.values(formats).flat().includes(extension(file.name))) return "not a photograph that can be read";
  if (file.size === 0) return "empty";
  if (file.size > limits.megabytes * 1e6) return `${bytes(file.size)}, at most ${limits.megabytes} MB are read`;
  return state.photos.length >= limits.jobs ? `at most ${count(limits.jobs, "photograph")} at a time` : "";
}

/** Take files, each with the folder it lies in: photographs are restored, the rest is listed as skipped. */
export async function take(found) {
  await loaded;
  if (!state.about) return;
  const added = [];
  for (const { file, folder } of found) {
    if (/^(\.|thumbs\.db$|desktop\.ini$)/i.test(file.name)) continue;
    const reason = reasonToSkip(file);
    if (reason) {
      state.skipped.push(`${folder}${file.name}: ${reason}`);
      continue;
    }
    const photo = new Photo(file, folder);
    photo.runs.push(new Run(photo, state.usual));
    state.photos.push(photo);
    added.push(photo);
  }
  $("list").append(...added.map((photo) => photo.item));
  added.forEach(paintItem);
  if (added.length && !state.shown) select(added[0]);
  if (added.length) say(`${count(added.length, "photograph")} added.`);
  else if (found.length === 1 && state.skipped.length && !state.photos.length) toast(sentence(state.skipped.at(-1)));
  else if (found.length && !state.photos.length) toast("There is no photograph among them that can be read.");
  paintSkipped();
  paintSoon();
  makeThumbs();
  pump();
}

export const plain = (files) => [...files].map((file) => ({ file, folder: "" }));

export function ofFolder(files) {
  const paths = [...files].sort((a, b) => byName(a.webkitRelativePath, b.webkitRelativePath));
  return paths.map((file) => ({ file, folder: file.webkitRelativePath.slice(0, -file.name.length) }));
}

/** All files of a dropped file or folder; what cannot be read is left out. */
async function walk(entry, folder = "") {
  const promise = (object, method) => new Promise((yes, no) => { object[method](yes, no); });
  if (entry.isFile) return promise(entry, "file").then((file) => [{ file, folder }], () => []);
  const reader = entry.createReader();
  const entries = [];
  for (let some = [0]; some.length;) entries.push(...some = await promise(reader, "readEntries").catch(() => []));
  const found = [];
  for (const one of entries.sort((a, b) => byName(a.name, b.name))) found.push(...await walk(one, `${folder}${entry.name}/`));
  return found;
}

export async function takeDrop(transfer) {
  const entries = [...transfer.items].filter((one) => one.kind === "file").map((one) => one.webkitGetAsEntry());
  const files = plain(transfer.files);
  const walked = entries.length && entries.every(Boolean) ? await Promise.all(entries.map((entry) => walk(entry))) : [files];
  take(walked.flat());
}

export async function takeSample({ url, name }) {
  const blob = await (await send(url)).blob();
  take(plain([new File([blob], name, { type: blob.type })]));
}

let thumbing = false;

/** Draw the thumbnails one after the other: from the file, or by the server where the browser cannot draw it. */
export async function makeThumbs() {
  if (thumbing) return;
  thumbing = true;
  for (;;) {
    const photo = state.photos.find((one) => !one.thumbed && (one.drawable || one.known));
    if (!photo) break;
    photo.thumbed = true;
    await drawThumb(photo).catch(() => {
      photo.thumbed = !photo.drawable;
      photo.drawable = false;
    });
  }
  thumbing = false;
}

async function drawThumb(photo) {
  const blob = photo.drawable ? photo.file : await (await send(`${photo.known.path}/before?size=240`)).blob();
  const bitmap = await createImageBitmap(blob, { resizeHeight: 144, resizeQuality: "medium" });
  const canvas = make("canvas", { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  photo.item.firstChild.replaceChildren(canvas);
}
