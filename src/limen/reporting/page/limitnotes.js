// The constraints of the label shown: how each stands at its cut, and the nearest cut that keeps it.

import { standingBadge } from "./bounds.js";
import { chosen } from "./chosen.js";
import { byId, el, whole } from "./dom.js";
import { commit, edits, move, moveAlone, moveSome } from "./edits.js";
import { cutText } from "./texts.js";
import { membersOf, united } from "./groups.js";
import {
  allows, fourAt, limits, limitsOf, nearestWhere, pooledCounts, slackOf, valueNumber, wrongOrder,
} from "./limits.js";
import { labelText, namesOf } from "./limittexts.js";
import { cutAt, labels, nLabels } from "./model.js";
/** @import { Kept } from "./limits.js" */

const NOTED = 6;

/** @param {string} text @param {string} whose @param {() => void} act */
const useButton = (text, whose, act) => el("button", { type: "button", class: "small", "aria-label": `${text}: ${whose}`,
  onclick: () => {
    act();
    commit();
    byId("label-name").focus({ preventScroll: true });
  } }, text);

/** Whether a label at a position keeps a constraint, whatever else it breaks. @param {Kept} limit @param {number} k */
function keeping(limit, k) {
  const v = valueNumber(limit, k);
  if (limit.spec.kind === "counts") return (/** @type {number} */ i) => slackOf(limit, v, fourAt(k, i)) >= 0;
  if (limit.spec.kind === "pooled") return (/** @type {number} */ i) => slackOf(limit, 0, pooledCounts(k, i)) >= 0;
  const { low, high } = limit.spec;
  return (/** @type {number} */ i) => cutAt(k, i) >= (low ?? -Infinity) && cutAt(k, i) <= (high ?? Infinity);
}

/** What would keep a broken constraint. @param {Kept} limit @param {number} k @returns {(Node | string)[]} */
function remedy(limit, k) {
  const { kind } = limit.spec;
  if (kind === "same") {
    const places = united(k, edits.at[k]);
    return [" ", useButton(`use ${cutText(cutAt(places[0][0], places[0][1]))} for all`, labels[k], () => moveAlone(places))];
  }
  if (kind === "order") {
    const { above, below } = wrongOrder(k), i = nearestWhere(k, allows(k));
    return [...(i >= 0 ? [`; ${cutText(cutAt(k, i))} keeps it `, useButton(`use ${cutText(cutAt(k, i))}`, labels[k], () => move(k, i))] : []),
      ...(above.length ? [" ", useButton(`lower ${namesOf(above, 1)}`, labels[k],
        () => moveSome(above.map((m) => [m, placeWhere(m, (cut) => cut <= cutAt(k, edits.at[k]))])))] : []),
      ...(below.length ? [" ", useButton(`raise ${namesOf(below, 1)}`, labels[k],
        () => moveSome(below.map((m) => [m, placeWhere(m, (cut) => cut >= cutAt(k, edits.at[k]))])))] : [])];
  }
  const keeps = keeping(limit, k), all = allows(k);
  const i = nearestWhere(k, (place) => keeps(place) && all(place)), j = i >= 0 ? i : nearestWhere(k, keeps);
  if (j < 0) return [kind === "pooled" && nLabels > 1 ? "; no cut of this label alone keeps it" : "; no cut keeps it"];
  const cut = cutText(cutAt(k, j));
  return [`; ${cut} keeps it${i < 0 ? ", and breaks another" : ""} `, useButton(`use ${cut}`, labels[k], () => move(k, j))];
}

/** The position of a label nearest to where it is whose cut is so. @param {number} m @param {(cut: number) => boolean} holds */
function placeWhere(m, holds) {
  const i = nearestWhere(m, (place) => holds(cutAt(m, place)));
  return i < 0 ? edits.at[m] : i;
}

/** Show how the label's constraints stand. */
export function refreshLimitNotes() {
  const place = byId("label-limits"), k = chosen.label;
  place.hidden = limits.length === 0;
  if (place.hidden) return;
  const orders = limitsOf(k).filter(({ spec }) => spec.kind === "order");
  const own = limitsOf(k).filter((limit) => limit.spec.kind !== "order" || limit === (orders.find((one) => one.broken[k]) ?? orders[0]));
  const rank = { broken: 0, tight: 1, kept: 2 };
  const found = own.map((limit) => ({ limit, ...labelText(limit, k) })).sort((a, b) => rank[a.standing] - rank[b.standing]);
  place.replaceChildren(...found.slice(0, NOTED).map(({ limit, standing, sign, text }) => el("li", { class: `limit-${standing}` },
    standingBadge(standing), el("strong", {}, sign), `: ${text}`, ...(standing === "broken" ? remedy(limit, k) : []))),
  ...(found.length > NOTED ? [el("li", {}, `and ${whole(found.length - NOTED)} more`)] : []));
  const others = membersOf(k).length - 1;
  byId("moves-with").textContent = others ? `Moves ${namesOf(membersOf(k).filter((m) => m !== k))} with it.` : "";
}
