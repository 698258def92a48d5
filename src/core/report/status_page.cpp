#include "core/report/status_page.h"

namespace ni {

// Everything that is shown is set as text, never as markup: names and last words are the application's.
const std::string_view kStatusPage = R"page(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>nodeinit</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --good: #2a8a4a; --bad: #c43; --wait: #b80; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 16px; max-width: 1000px; }
h1 { font-size: 20px; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 22px 0 8px; }
#lost { color: var(--bad); }
.facts { display: flex; flex-wrap: wrap; gap: 4px 22px; color: color-mix(in srgb, currentColor 75%, transparent); }
.slots { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 10px; }
.slot { border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; }
.slot b { font-size: 16px; }
.state { float: right; font-weight: 600; }
.ready { color: var(--good); }
.backing_off, .finished, .vacant, .dead, .killing { color: var(--bad); }
.starting, .draining, .terminating, .parked { color: var(--wait); }
.row { display: flex; justify-content: space-between; gap: 8px; margin-top: 4px; font-variant-numeric: tabular-nums; }
.small { font-size: 13px; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: 34px; background: var(--soft); border-radius: 4px; }
path { fill: none; stroke: currentColor; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
ol { list-style: none; margin: 0; padding: 0; }
ol li { border-top: 1px solid var(--line); padding: 4px 0; overflow-wrap: anywhere; }
li.error { color: var(--bad); }
li.warn { color: var(--wait); }
</style>
<h1>nodeinit <span id="phase"></span> <span id="lost"></span></h1>
<div class="facts" id="facts"></div>
<div id="programs"></div>
<h2>Events</h2>
<ol id="events"></ol>
<script>
'use strict';
const EVERY = 2000, POINTS = 90;
const samples = new Map();
const byId = (id) => document.getElementById(id);
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
function row(...texts) {
  const made = element('div', 'row');
  for (const text of texts) made.append(element('span', '', text));
  return made;
}
function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && unit < 4) { bytes /= 1024; ++unit; }
  return bytes.toFixed(bytes < 10 && unit ? 1 : 0) + ' ' + units[unit];
}
function time(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min ' + s % 60 + ' s';
  if (s < 86400) return Math.floor(s / 3600) + ' h ' + Math.floor(s / 60) % 60 + ' min';
  return Math.floor(s / 86400) + ' d ' + Math.floor(s / 3600) % 24 + ' h';
}
function chart(values, top) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 ' + (POINTS - 1) + ' 34');
  svg.setAttribute('preserveAspectRatio', 'none');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  const start = POINTS - values.length;
  path.setAttribute('d', values.map((value, i) =>
    (i ? 'L' : 'M') + (start + i) + ' ' + (32 - 30 * Math.min(value / (top || 1), 1)).toFixed(1)).join(''));
  svg.append(path);
  return svg;
}
function remember(key, value) {
  const values = samples.get(key) || [];
  values.push(value);
  if (values.length > POINTS) values.shift();
  samples.set(key, values);
  return values;
}
function showSlot(program, slot) {
  const box = element('div', 'slot');
  box.append(element('b', '', 'slot ' + slot.slot), element('span', 'state ' + slot.state,
    slot.state.replace('_', ' ') + (slot.replacing ? ', being replaced' : '')));
  if (slot.pid) box.append(row('pid ' + slot.pid, 'up ' + time(slot.uptime_ms), 'restarts ' + slot.restarts));
  const key = program.name + '/' + slot.slot + '/';
  if (slot.loop_delay_ms !== undefined) {
    const values = remember(key + 'loop', slot.loop_delay_ms);
    box.append(row('event loop delay', slot.loop_delay_ms.toFixed(1) + ' ms'), chart(values, Math.max(10, ...values)));
  }
  if (slot.memory !== undefined) {
    const values = remember(key + 'memory', slot.memory);
    const share = program.memory_per_worker;
    const of = share ? ' of ' + size(share) : '';
    box.append(row('memory', size(slot.memory) + of), chart(values, share || Math.max(...values) * 1.2));
  }
  if (slot.last_death) {
    box.append(element('div', 'small', 'last death: ' + slot.last_death + ', ' + time(slot.since_death_ms) + ' ago'));
  }
  return box;
}
function metric(text, name) {
  const line = text.split('\n').find((each) => each.startsWith(name + ' '));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
}
let before;
function showFacts(status, metrics) {
  const facts = ['up ' + time(status.uptime_ms)];
  if (status.cpus) facts.push(status.cpus + ' CPUs (' + status.cpus_source + ')');
  if (status.memory) {
    facts.push((status.memory_used ? size(status.memory_used) + ' of ' : '') + size(status.memory) +
      ' memory (' + status.memory_source + ')');
  } else if (status.memory_used) {
    facts.push(size(status.memory_used) + ' memory used, no limit');
  }
  const now = { periods: metric(metrics, 'nodeinit_container_cpu_periods_total'),
    throttled: metric(metrics, 'nodeinit_container_cpu_throttled_periods_total') };
  if (before && now.periods > before.periods) {
    const share = (now.throttled - before.throttled) / (now.periods - before.periods);
    facts.push('throttled in ' + Math.round(100 * share) + ' % of the CPU periods');
  }
  before = now;
  if (status.orphans_reaped) facts.push(status.orphans_reaped + ' orphans reaped');
  byId('facts').replaceChildren(...facts.map((fact) => element('span', '', fact)));
}
function show(status, events, metrics) {
  byId('phase').textContent = '· ' + status.phase + (status.ready ? ', ready' : ', not ready');
  byId('phase').className = status.ready ? 'ready' : 'backing_off';
  document.title = (status.ready ? '' : '⚠ ') + 'nodeinit';
  showFacts(status, metrics);
  const programs = [];
  for (const program of status.programs) {
    programs.push(element('h2', '', program.name + ': ' + program.ready + ' of ' + program.workers + ' workers ready' +
      (program.rolling ? ', reload under way' : '') + (program.workers_reason ? ' · ' + program.workers_reason : '')));
    const slots = element('div', 'slots');
    for (const slot of program.slots) slots.append(showSlot(program, slot));
    programs.push(slots);
  }
  byId('programs').replaceChildren(...programs);
  byId('events').replaceChildren(...events.reverse().map((event) =>
    element('li', event.level, time(status.uptime_ms - event.uptime_ms) + ' ago: ' + event.message)));
}
async function refresh() {
  try {
    const [status, events, metrics] = await Promise.all(['status', 'events', 'metrics'].map(async (name) => {
      const answer = await fetch(name, { cache: 'no-store' });
      return name === 'metrics' ? answer.text() : answer.json();
    }));
    show(status, events, metrics);
    byId('lost').textContent = '';
  } catch (error) {
    byId('lost').textContent = '· no answer: ' + error.message;
  }
  setTimeout(refresh, EVERY);
}
refresh();
</script>
</html>
)page";

}  // namespace ni
