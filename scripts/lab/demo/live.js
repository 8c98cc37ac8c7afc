// SPDX-License-Identifier: GPL-2.0
// Draws the state of the demo, which it asks for again and again.

const CHART = document.getElementById("chart");
const POLL_MS = 250;
// The room for the curves in the picture, whose corner is at the top left.
const LEFT = 60, RIGHT = 885, TOP = 12, BOTTOM = 295;
const SECONDS_BEFORE = 3, LEAST_SECONDS = 5;

function make(name, attributes, text = "") {
	const element = document.createElementNS(CHART.namespaceURI, name);

	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	element.textContent = text;
	return element;
}

// Seconds since the guest began to free; until it does, up to now.
function since(guest, at) {
	const samples = guest.samples;

	return at - (guest.freed ?? samples[samples.length - 1][0]);
}

function curve(guest, x, y) {
	const points = guest.samples
		.map(([at, mib]) => [since(guest, at), mib])
		.filter(([at]) => at >= -SECONDS_BEFORE)
		.map(([at, mib]) => `${x(at).toFixed(1)},${y(mib).toFixed(1)}`);

	return make("polyline", { points: points.join(" "), stroke: guest.colour });
}

// A power of two, or half as much again, so that there are four to eight lines.
function gridStep(most) {
	let step = 1;

	while (most / step > 8)
		step *= 2;
	return step;
}

function draw(guests) {
	const mib = Math.max(...guests.map((guest) => guest.full_mib));
	const end = Math.max(LEAST_SECONDS, ...guests.map(
		(guest) => since(guest, guest.samples[guest.samples.length - 1][0])));
	const x = (at) => LEFT + (at + SECONDS_BEFORE) * (RIGHT - LEFT) /
			  (end + SECONDS_BEFORE);
	const y = (have) => BOTTOM - have * (BOTTOM - TOP) / mib;

	CHART.replaceChildren();
	for (let have = 0; have <= mib; have += gridStep(mib)) {
		CHART.append(make("line", { x1: LEFT, x2: RIGHT, y1: y(have), y2: y(have) }));
		CHART.append(make("text", { x: LEFT - 8, y: y(have) + 4,
					    "text-anchor": "end" }, have));
	}
	for (let at = 0; at <= end; at += gridStep(end))
		CHART.append(make("text", { x: x(at), y: BOTTOM + 22,
					    "text-anchor": "middle" }, `${at} s`));
	for (const guest of guests)
		CHART.append(curve(guest, x, y));
}

function element(name, text, parent) {
	const made = document.createElement(name);

	made.textContent = text;
	parent.append(made);
	return made;
}

// What a guest does, has, and says of its memory.
function card(guest) {
	const [at, mib] = guest.samples[guest.samples.length - 1];
	const made = document.createElement("section");
	const says = Object.entries(guest.says);

	made.className = "guest";
	element("i", "", made).style.background = guest.colour;
	made.append(` ${guest.label} `);
	element("b", `${mib} MiB`, made);
	element("p", guest.freed === null ? "takes memory" :
		`${since(guest, at).toFixed(1)} s after it began to free`, made);
	if (says.length)
		element("p", "In the guest: " + says.map(
			([name, amount]) => `${name} ${amount} MiB`).join(", "), made);
	return made;
}

function show(guests) {
	if (!guests.length)
		return;
	document.getElementById("status").textContent = "Running.";
	draw(guests);
	document.getElementById("guests").replaceChildren(...guests.map(card));
}

async function follow() {
	try {
		const state = await (await fetch("state.json")).json();

		show(state.guests.filter((guest) => guest.samples.length));
		setTimeout(follow, POLL_MS);
	} catch {
		document.getElementById("status").textContent = "The demo has ended.";
	}
}

follow();
