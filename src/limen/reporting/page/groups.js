// Labels that share a threshold: they have the same cuts, and one moves the others.

import { content, cutAt, sizeOf } from "./model.js";

/** @typedef {{members: number[], places: Int32Array[]}} Group  For each member where it has the cuts common to all. */

/** The positions of a label that has a cut, or -1. @param {number} k @param {number} cut */
function placeOfCut(k, cut) {
  let low = 0, high = sizeOf(k) - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cutAt(k, middle) > cut) low = middle + 1;
    else high = middle;
  }
  return cutAt(k, low) === cut ? low : -1;
}

/** The group of each label that is in one. @type {Map<number, Group>} */
const groupOfLabel = new Map();
for (const members of content.limits.groups) {
  const common = Array.from({ length: sizeOf(members[0]) }, (_, i) => members.map((k) => placeOfCut(k, cutAt(members[0], i))))
    .filter((places) => places.every((place) => place >= 0));
  const group = { members, places: members.map((_, m) => Int32Array.from(common, (places) => places[m])) };
  for (const k of members) groupOfLabel.set(k, group);
}

/** The labels that move with one, itself among them. @param {number} k */
export const membersOf = (k) => groupOfLabel.get(k)?.members ?? [k];

/**
 * Where labels go when one is moved: those that share its threshold go with it, to the first common cut on its way.
 * @param {number} k @param {number} i @param {number} from @returns {[number, number][]}
 */
export function together(k, i, from) {
  const group = groupOfLabel.get(k);
  if (!group) return [[k, i]];
  const own = group.places[group.members.indexOf(k)];
  let low = 0, high = own.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (own[middle] < i) low = middle + 1;
    else high = middle;
  }
  if (own[low] !== i && i < from && low > 0) low--;
  return group.members.map((m, place) => [m, group.places[place][low]]);
}

/** Where a label's group would be at the common cut nearest to a position of the label. @param {number} k @param {number} i
 * @returns {[number, number][]} */
export function united(k, i) {
  const group = groupOfLabel.get(k);
  if (!group) return [[k, i]];
  const own = [...group.places[group.members.indexOf(k)]];
  const best = own.reduce((near, place, at) => (Math.abs(place - i) < Math.abs(own[near] - i) ? at : near), 0);
  return group.members.map((m, place) => [m, group.places[place][best]]);
}
