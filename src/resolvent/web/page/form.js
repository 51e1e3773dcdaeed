/* The form: options of a restoration and of downloads. */

import { $, hide, make, SAVING, write } from "./basics.js";
import { capital, sentence, toast } from "./words.js";
import { remember, Run, settings, state } from "./state.js";
import { pump, restore } from "./work.js";
import { paintSoon } from "./painting.js";

function tool() {
  const [kind, name] = settings.tool.split(":");
  const [model, method] = [kind === "model" ? name : "", kind === "method" ? name : ""];
  return { model, method, card: state.models[model] ?? state.methods[method] };
}

/** Whether the model enlarges by itself, or a method is chosen, which leaves the size as it is. */
function sizeIsFixed() {
  const { method, card } = tool();
  return Boolean(method) || card?.scale > 1;
}

/** Whether the model that is chosen, or the one that the size takes, can invent detail. */
function canInvent() {
  const { model, method, card } = tool();
  if (model || method) return Boolean(card?.realism);
  return Object.values(state.models).some((one) => one.realism && one.scale === Number(settings.scale));
}

/** The options of a job, as the form says. */
export function chosen() {
  const { model, method, card } = tool();
  const options = {};
  if (model) options.model = model;
  if (card?.noise_level && settings.sigma !== "") options.sigma = settings.sigma;
  if (method) Object.assign(options, { method, degradation: settings.degradation || card.example });
  if (settings.scale !== "1" && !sizeIsFixed()) options.scale = settings.scale;
  if (canInvent() && Number(settings.realism)) options.realism = settings.realism / 100;
  if (settings.repair) options.repair = "true";
  return options;
}

export function fillForm() {
  const { formats, written, layers } = state.about;
  const models = Object.keys(state.models).filter((name) => !state.models[name].finds && !state.models[name].fills);
  const methods = Object.keys(state.methods).filter((name) => state.methods[name].missing === null);
  const group = (label, kind, names) => {
    const options = names.map((name) => make("option", { value: `${kind}:${name}`, textContent: name }));
    return make("optgroup", { label }, ...options);
  };
  $("tool").append(group("Models", "model", models), group("Methods", "method", methods));
  $("ext").append(...written.map((name) => make("option", { value: formats[name][0].slice(1), textContent: name.toUpperCase() })));
  for (const key of ["tool", "ext"]) if (![...$(key).options].some(({ value }) => value === settings[key])) settings[key] = "";
  for (const key of ["tool", "sigma", "degradation", "scale", "realism", ...SAVING]) $(key).value = settings[key];
  $("repair").checked = settings.repair;
  $("files").accept = ["image/*", ...Object.values(formats).flat()].join(",");
  const choice = (value, label, color) => {
    const input = make("input", { type: "radio", name: "layer", value });
    input.onchange = () => {
      remember({ layer: value });
      paintSoon();
    };
    const dot = make("i", { className: "dot", hidden: !color });
    dot.style.setProperty("--layer", color);
    return make("label", { className: "choice" }, input, make("span", { textContent: label }), dot);
  };
  const others = Object.entries(layers).map(([name, { label, color }]) => choice(name, capital(label), color));
  $("layers").append(choice("result", "Result", ""), ...others);
  paintForm();
}

export function paintForm() {
  const { method, card } = tool();
  const cost = method && card.cost !== "seconds" ? `; takes ${card.cost}` : "";
  write("tool-hint", sentence(card ? card.summary + cost : "measures the photograph and chooses"));
  if (card?.sigma_range) [$("sigma").min, $("sigma").max] = card.sigma_range;
  $("scale").disabled = sizeIsFixed();
  write("realism-text", `${settings.realism} %`);
  const lossless = ["png", "tif", "tiff", "bmp"].includes(settings.ext);
  hide({ "sigma-field": !card?.noise_level, "degradation-field": !method, "repair-hint": !settings.repair });
  hide({ "realism-field": !canInvent(), "quality-field": lossless, "new-hint": !Object.keys(state.usual).length });
  write("new-text", `New photographs: ${new Run(null, state.usual).label}.`);
}

export function listenToForm() {
  $("form").oninput = ({ target }) => {
    if (!target.checkValidity()) return;
    remember({ [target.id]: target.type === "checkbox" ? target.checked : target.value });
    const { method, card } = tool();
    if (target.id === "tool" && method) {
      remember({ degradation: card.example });
      $("degradation").value = card.example;
    }
    paintForm();
  };
  $("form").onsubmit = (event) => {
    event.preventDefault();
    if (!restore(state.shown, chosen())) toast("This result exists already: it is shown on the right.");
    pump();
  };
  $("for-all").onclick = () => {
    if (!$("form").reportValidity()) return;
    state.usual = chosen();
    state.photos.forEach((photo) => restore(photo, state.usual));
    paintForm();
    pump();
  };
  $("details").open = settings.details;
  $("details").ontoggle = () => remember({ details: $("details").open });
  $("more").ontoggle = () => $("more").open && $("form").scrollIntoView({ block: "nearest" });
  $("back").onclick = () => {
    state.usual = {};
    paintForm();
    $("for-all").focus();
  };
}
