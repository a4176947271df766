// What must hold: every constraint with what there is now, in the overview; how many hold, in the bar that stays in view.

import { standingBadge } from "./bounds.js";
import { choose } from "./chosen.js";
import { byId, counted, el, nameOf, whole } from "./dom.js";
import { commit, edits, moveSome } from "./edits.js";
import { allBreakers, allows, kept, limits, nearestWhere } from "./limits.js";
import { labelText, limitText, namesOf } from "./limittexts.js";
import { content, labels, nLabels } from "./model.js";
import { filterBy } from "./table.js";
/** @import { Kept } from "./limits.js" */

const SHOWN = 8, NAMED_BREAKERS = 3;

/** Labels that break a constraint, and where each could go to keep all of its own. */
function waysBack() {
  return allBreakers().map((k) => /** @type {[number, number]} */ ([k, nearestWhere(k, allows(k))])).filter(([, i]) => i >= 0);
}

/** A constraint, as a line of the panel. @param {Kept} limit */
function limitLine(limit) {
  const { spec } = limit, { standing, text, of } = limitText(limit);
  const known = edits.changed.size === 0 ? spec.known : null;
  const shown = known?.binds && standing !== "broken" ? "tight" : standing;
  const links = of.slice(0, NAMED_BREAKERS).flatMap((k, place) => [place ? ", " : standing === "broken" ? ": " : " (",
    el("button", { type: "button", class: "link", onclick: () => choose(k, true) }, nameOf(labels[k]))]);
  const more = of.length > NAMED_BREAKERS ? [" and ", el("button", { type: "button", class: "link", onclick: () => {
    filterBy("breaks");
    byId("labels").scrollIntoView();
  } }, `${whole(of.length - NAMED_BREAKERS)} more`)] : [];
  return el("li", { class: `limit-${standing}` }, standingBadge(shown), el("strong", {}, spec.said), `: ${text}`, ...links, ...more,
    of.length && standing !== "broken" ? ")" : "",
    known?.binds ? `; it binds${known.for ? ` for ${counted(known.for, "label")}` : ""}, and ${known.price}` : "", ".");
}

/** What is promised, and what edits leave of it. @returns {(Node | string)[]} */
function promiseLines() {
  const promise = content.promise;
  if (promise === null) return [];
  const lost = promise.labels.filter((k) => edits.changed.has(k));
  if (edits.changed.size === 0 || (promise.lasting && !lost.length)) return [`promised: ${promise.said}.`, `${promise.held}.`];
  if (!promise.lasting || lost.length === promise.labels.length) {
    return [`promised as given: ${promise.said}.`, "Edited thresholds promise nothing: the promise was made of those as given."];
  }
  return [`promised: ${promise.said}.`, `The promise of ${namesOf(lost)} is dropped, for it was made of the ` +
    `${lost.length === 1 ? "threshold" : "thresholds"} as given; that of the other ${counted(promise.labels.length - lost.length, "label")} stays.`];
}

/** The labels of which a promise outlasts the edits, or null. */
export function promisedStill() {
  const promise = content.promise;
  if (promise === null || !promise.lasting) return null;
  const left = promise.labels.filter((k) => !edits.changed.has(k));
  return left.length ? left.map((k) => labels[k]) : null;
}

function refreshPanel() {
  const place = byId("promises");
  place.hidden = limits.length === 0 && content.promise === null;
  if (place.hidden) return;
  const order = [...limits].sort((a, b) => Number(a.holds) - Number(b.holds) || a.place - b.place);
  const back = kept.labels > 0 ? waysBack() : [];
  const whose = content.limits.own ? "" : "These constraints are the report's: the thresholds were not tuned under them.";
  place.replaceChildren(el("h3", { id: "promises-title", tabindex: "-1" }, "What must hold, on these items"),
    ...(limits.length && whose ? [el("p", { class: "note" }, whose)] : []),
    el("ul", {}, ...order.slice(0, SHOWN).map(limitLine), ...promiseLines().map((text) => el("li", {}, text))),
    ...(order.length > SHOWN ? [el("p", { class: "note" }, `And ${whole(order.length - SHOWN)} more, of which ` +
      `${whole(order.slice(SHOWN).filter(({ holds }) => holds).length)} hold.`)] : []),
    ...(back.length ? [el("button", { type: "button", class: "small", id: "back-within", onclick: () => {
      moveSome(back);
      commit();
      byId("promises-title").focus({ preventScroll: true });
    } }, nLabels === 1 ? "Move it to the nearest cut that keeps them"
      : `Move ${counted(back.length, "label")} to the nearest cut that keeps ${back.length === 1 ? "its" : "their"} own`)] : []));
}

function refreshLimitBar() {
  const place = byId("limits-now"), number = limits.length;
  place.hidden = number === 0;
  place.classList.toggle("broken", kept.broken > 0);
  place.textContent = kept.broken ? `${whole(kept.broken)} of ${counted(number, "constraint")} broken`
    : number === 1 ? "constraint holds" : `${whole(number)} constraints hold`;
}

/** The constraints that a label at its position now breaks, for those who listen. @param {number} k */
export function spokenLimits(k) {
  const broken = limits.filter((limit) => (limit.spec.kind === "pooled" ? !limit.holds : limit.broken[k] > 0));
  return broken.length ? ` Broken: ${broken.map((limit) => `${labelText(limit, k).sign}, ${labelText(limit, k).text}`).join("; ")}.` : "";
}

export function startLimits() {
  edits.listeners.push(({ done }) => {
    refreshLimitBar();
    if (done) refreshPanel();
  });
  refreshLimitBar();
  refreshPanel();
}

