/* The stage: pictures that zoom and pan, side by side or with a divider between them. */

import { $, clamp, CROP, debounce, GLANCE, hide, make, OWN, pause, perFrame, write, ZOOMS } from "./basics.js";
import { toast } from "./words.js";
import { picture, Problem } from "./server.js";
import { remember, settings } from "./state.js";

/** One picture that zooms: a preview of the whole, and native pixels over what is visible. */
class Sheet {
  constructor(pane) {
    this.node = make("div", { className: "sheet", hidden: true });
    this.crops = make("div", { className: "crops" });
    this.tiles = new Map();
    this.source = this.drawn = null;
    pane.append(this.node);
  }

  /** Draw a source; until it has come, keep what is drawn, or draw the file of the visitor, or nothing. */
  async show(source, keep) {
    if (source?.key === this.source?.key) return;
    this.source = source;
    this.clearTiles();
    if (!source || !keep) {
      this.drawn = null;
      this.node.replaceChildren();
    }
    if (source?.local && !(this.drawn && source.url)) this.draw(source, source.local, Infinity).catch(source.undrawable);
    if (!source?.url) return;
    if (!keep) await pause(GLANCE);
    if (this.source !== source) return;
    try {
      await this.draw(source, await picture(source.url), 0);
    } catch (problem) {
      if (problem.status === 404) source.gone();
      else toast(problem instanceof Problem ? problem.message : "This picture cannot be shown.");
    }
  }

  async draw(source, url, seen) {
    const image = make("img", { src: url, alt: source.alt, draggable: false });
    await image.decode();
    if (this.source !== source || (seen && this.drawn === source)) return;
    source.width ??= image.naturalWidth;
    source.height ??= image.naturalHeight;
    this.drawn = source;
    this.seen = seen || image.naturalWidth;
    this.node.replaceChildren(image, this.crops);
    viewer.update();
  }

  clearTiles() {
    this.tiles.clear();
    this.crops.replaceChildren();
  }

  place(x, y, width, opacity) {
    this.node.hidden = !this.drawn || opacity === 0;
    if (this.node.hidden) return;
    const scale = width / this.drawn.width;
    Object.assign(this, { x, y, scale });
    Object.assign(this.node.style, {
      width: `${this.drawn.width}px`, height: `${this.drawn.height}px`, opacity,
      transform: `translate(${x}px, ${y}px) scale(${scale})`,
    });
    this.node.classList.toggle("pixels", scale * devicePixelRatio > 2.001);
  }

  /** Fetch native pixels for what is visible, if the preview has fewer than the screen shows. */
  refine(pane) {
    const { drawn, scale, seen } = this;
    if (this.node.hidden || drawn !== this.source || !drawn?.url) return;
    const density = scale * devicePixelRatio;
    const side = density < 0.7 ? 2 * CROP.side : CROP.side;
    const first = (offset) => Math.max(0, Math.floor(-offset / scale / side));
    const last = (offset, visible, all) => Math.ceil(Math.min(all, (visible - offset) / scale) / side) - 1;
    const [left, right] = [first(this.x), last(this.x, pane.width, drawn.width)];
    const [top, bottom] = [first(this.y), last(this.y, pane.height, drawn.height)];
    const own = drawn.local && drawn.width * drawn.height < OWN;
    const enough = seen >= drawn.width || density * drawn.width <= 1.02 * seen;
    this.crops.hidden = enough || (!own && (right - left + 1) * (bottom - top + 1) > CROP.most);
    if (this.crops.hidden) return;
    if (own) {
      this.tile("local", async () => drawn.local, 0, 0, drawn.width, drawn.height);
      return;
    }
    if (this.tiles.size > CROP.kept) this.clearTiles();
    for (let y = top * side; y <= bottom * side; y += side) for (let x = left * side; x <= right * side; x += side) {
      const box = [x, y, Math.min(side, drawn.width - x), Math.min(side, drawn.height - y)];
      this.tile(box.join(), () => picture(drawn.crop(...box)), ...box);
    }
  }

  tile(key, url, left, top, width, height) {
    if (this.tiles.has(key)) return;
    const tile = make("img", { alt: "", draggable: false });
    this.tiles.set(key, tile);
    for (const [name, value] of Object.entries({ left, top, width, height })) tile.style[name] = `${value}px`;
    const put = async () => {
      tile.src = await url();
      await tile.decode();
      if (this.tiles.get(key) === tile) this.crops.append(tile);
    };
    put().catch(() => this.tiles.delete(key));
  }
}

/** The stage: two panes with one zoom, a divider between them. */
class Viewer {
  constructor() {
    this.stage = $("stage");
    this.panes = ["left", "right"].map((name) => {
      const node = $(`pane-${name}`);
      return { name, node, under: new Sheet(node), over: new Sheet(node), opacity: 1 };
    });
    this.view = { fit: true, scale: 1, x: 0.5, y: 0.5 }; // what is wanted, for any photograph
    this.now = this.view; // what is shown of this one
    this.update = perFrame(() => this.draw());
    this.refine = debounce(() => {
      for (const pane of this.panes) {
        pane.over.refine(pane);
        if (pane.opacity < 1) pane.under.refine(pane);
      }
    }, 140);
    new ResizeObserver(() => this.update()).observe(this.stage);
  }

  /** Show a side: a picture, over another one where it is transparent or not there yet. */
  show(index, { over, under, opacity }, keep) {
    const pane = this.panes[index];
    pane.over.show(over, keep);
    pane.under.show(under, keep);
    pane.opacity = opacity;
  }

  compare(two) {
    this.two = two;
    this.update();
  }

  /** The larger picture of those shown: 100 % are its pixels. */
  get reference() {
    const drawn = this.panes.slice(this.two ? 0 : 1).flatMap((pane) => [pane.under.drawn, pane.over.drawn]);
    return drawn.reduce((best, one) => (!one || best?.width >= one.width ? best : one), null);
  }

  layOut() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.half = Boolean(settings.split && this.two);
    const [across, down] = [this.half && width >= height, this.half && width < height];
    for (const [index, pane] of this.panes.entries()) {
      const box = { width: across ? width / 2 - 1 : width, height: down ? height / 2 - 1 : height };
      Object.assign(box, { left: across ? index * (width / 2 + 1) : 0, top: down ? index * (height / 2 + 1) : 0 });
      Object.assign(pane, box);
      for (const [name, value] of Object.entries(box)) pane.node.style[name] = `${value}px`;
    }
    this.stage.classList.toggle("half", this.half);
    this.stage.classList.toggle("column", down);
    this.panes[0].node.hidden = !this.two;
  }

  draw() {
    this.layOut();
    const { reference, view, stage } = this;
    const [, pane] = this.panes;
    stage.classList.toggle("blank", !reference);
    const coming = this.panes.some(({ under, over }) => under.source || over.source);
    if (!reference && !coming) this.drawNothing();
    if (!reference || !pane.width) return;
    const ratio = devicePixelRatio;
    const margin = Math.min(24, pane.width / 40);
    const room = Math.min((pane.width - 2 * margin) / reference.width, (pane.height - 2 * margin) / reference.height);
    this.fit = Math.min(room, 2) * ratio;
    this.most = Math.max(16, this.fit);
    const scale = view.fit ? this.fit : clamp(view.scale, Math.min(this.fit, 1), this.most);
    const [width, height] = [reference.width, reference.height].map((side) => (side * scale) / ratio);
    const hold = (center, all, visible) => (all <= visible ? 0.5 : clamp(center, visible / all / 2, 1 - visible / all / 2));
    this.now = { scale, x: hold(view.x, width, pane.width), y: hold(view.y, height, pane.height) };
    const snap = (value) => Math.round(value * ratio) / ratio;
    const x = snap(pane.width / 2 - this.now.x * width);
    const y = snap(pane.height / 2 - this.now.y * height);
    for (const { under, over, opacity } of this.panes) {
      under.place(x, y, width, opacity === 1 && over.drawn ? 0 : 1);
      over.place(x, y, width, opacity);
    }
    this.area = { x, y, width, height };
    stage.classList.toggle("loading", pane.over.source !== pane.over.drawn);
    this.drawDivider(pane);
    this.drawZoom();
    this.refine();
  }

  drawNothing() {
    this.area = null;
    hide({ divider: true, handle: true, "corner-left": true, "corner-right": true });
    write("zoom", "–");
  }

  drawDivider(pane) {
    const { x, y, width, height } = this.area;
    const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
    this.seen = { left, top, width: Math.min(x + width, pane.width) - left, height: Math.min(y + height, pane.height) - top };
    this.at = left + (this.held ? 1 : settings.divider) * this.seen.width;
    for (const [name, value] of Object.entries({ ...this.seen, at: this.at })) this.stage.style.setProperty(`--${name}`, `${value}px`);
    const divided = Boolean(this.two && !this.half);
    this.stage.classList.toggle("divided", divided);
    hide({ divider: !divided, handle: !divided, "corner-left": !this.two, "corner-right": this.held && divided });
    const percent = Math.round(100 * settings.divider);
    $("divider").value = percent;
    $("divider").setAttribute("aria-valuetext", `${percent} % of the width shows the left picture`);
  }

  drawZoom() {
    const { scale } = this.now;
    this.fits = Math.abs(scale / this.fit - 1) < 0.001;
    write("zoom", `${Math.round(100 * scale)} %`);
    $("zoom-fit").setAttribute("aria-pressed", String(this.fits));
    $("zoom-full").setAttribute("aria-pressed", String(scale === 1));
    $("split").setAttribute("aria-pressed", String(settings.split));
    this.stage.classList.toggle("zoomed", scale > this.fit * 1.001);
  }

  /** Zoom so that the point of the picture under (x, y) of a pane stays there; 0 shows all of it. */
  zoomTo(scale, x = this.panes[1].width / 2, y = this.panes[1].height / 2) {
    if (!this.area) return;
    const { area, now, fit } = this;
    const [, pane] = this.panes;
    const wanted = Math.abs(scale - 1) < 0.015 ? 1 : scale;
    const next = scale ? clamp(wanted, Math.min(fit, 1), this.most) : fit;
    const center = (at, offset, all, visible) => (at - offset) / all + ((visible / 2 - at) * now.scale) / (all * next);
    this.view = {
      fit: Math.abs(next / fit - 1) < 0.001, scale: next,
      x: center(x, area.x, area.width, pane.width), y: center(y, area.y, area.height, pane.height),
    };
    this.draw();
  }

  zoomBy(factor, x, y) { this.zoomTo(this.now.scale * factor, x, y); }

  step(direction) {
    const { scale } = this.now;
    const next = direction > 0 ? ZOOMS.find((zoom) => zoom > scale * 1.01) : ZOOMS.findLast((zoom) => zoom < scale * 0.99);
    this.zoomTo(next ?? (direction > 0 ? this.most : 0));
  }

  toggle(x, y) { this.zoomTo(this.fits ? (this.fit >= 1 ? 2 * this.fit : 1) : 0, x, y); }

  pan(x, y) {
    if (!this.area) return;
    Object.assign(this.view, { x: this.now.x - x / this.area.width, y: this.now.y - y / this.area.height });
    this.draw();
  }

  divide(x) {
    remember({ divider: clamp((x - this.seen.left) / this.seen.width, 0, 1) });
    this.update();
  }

  split() {
    remember({ split: !settings.split });
    this.update();
  }

  /** Show the left picture alone while a key is held. */
  hold(held) {
    this.held = held;
    this.update();
  }

  onHandle({ x, y, touch }) {
    const { left, top, width, height } = this.seen ?? {};
    const inside = x >= left - 24 && x <= left + width + 24 && y >= top && y <= top + height;
    return !$("divider").hidden && inside && Math.abs(x - this.at) <= (touch ? 26 : 14);
  }

  /** The point of an event in its pane. */
  point({ clientX, clientY, pointerType, timeStamp }) {
    const box = this.stage.getBoundingClientRect();
    const [x, y] = [clientX - box.left, clientY - box.top];
    const pane = (this.half && this.panes.findLast((one) => x >= one.left && y >= one.top)) || this.panes[1];
    return { x: x - pane.left, y: y - pane.top, touch: pointerType === "touch", time: timeStamp };
  }

  /** Pointers: the handle moves the divider; elsewhere they pan if zoomed, and move it if not; two of them zoom. */
  listen() {
    const { stage } = this;
    const pointers = new Map();
    let [mode, start, tap] = ["", null, null];
    const far = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
    const middle = () => {
      const [a, b] = pointers.values();
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, length: Math.max(1, far(a, b)) };
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest(".card") || !this.area) return;
      const point = this.point(event);
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, point);
      start = { ...point, moved: pointers.size > 1 };
      if (pointers.size > 1) mode = pointers.size === 2 ? "pinch" : "";
      else if (this.onHandle(point)) mode = "divide";
      else mode = stage.classList.contains("zoomed") || $("divider").hidden ? "pan" : "divide when moved";
      stage.classList.toggle("dragging", mode === "pan");
    });
    stage.addEventListener("pointermove", (event) => {
      const point = this.point(event);
      const last = pointers.get(event.pointerId);
      if (!last) {
        stage.classList.toggle("near", this.onHandle(point));
        return;
      }
      const before = mode === "pinch" ? middle() : null;
      pointers.set(event.pointerId, point);
      start.moved ||= far(point, start) > 4;
      if (mode === "divide when moved" && start.moved) mode = "divide";
      if (mode === "divide") this.divide(point.x);
      else if (mode === "pan") this.pan(point.x - last.x, point.y - last.y);
      else if (mode === "pinch") {
        const now = middle();
        this.pan(now.x - before.x, now.y - before.y);
        this.zoomBy(now.length / before.length, now.x, now.y);
      }
    });
    const end = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      const point = this.point(event);
      if (event.type === "pointerup" && !start.moved) {
        const twice = tap && point.time - tap.time < 350 && far(point, tap) < 30;
        if (twice) this.toggle(point.x, point.y);
        tap = twice ? null : point;
      }
      mode = pointers.size ? "pan" : "";
      stage.classList.remove("dragging");
    };
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = this.point(event);
      const lines = event.deltaMode === 1 ? 20 : 1;
      this.zoomBy(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    }, { passive: false });
    $("divider").oninput = ({ target }) => {
      remember({ divider: target.value / 100 });
      this.update();
    };
  }
}

export const viewer = new Viewer();
