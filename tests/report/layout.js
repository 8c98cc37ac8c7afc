// SPDX-License-Identifier: GPL-2.0
// Lists the elements of a page whose content is wider than they are, that stick
// out of their parent, that cover each other, or whose text is hard to tell from
// what is behind it, and writes the list where the test finds it.

// Text is readable from here on, says the Web Content Accessibility Guidelines.
const CONTRAST = 4.5;

// What scrolls may be wider than its box: that is what it is for.
function scrolls(element, view) {
	return ["auto", "scroll"].includes(view.getComputedStyle(element).overflowX);
}

function inScroller(element, view) {
	for (let up = element.parentElement; up; up = up.parentElement)
		if (scrolls(up, view))
			return true;
	return false;
}

function faultOf(element, view) {
	const inline = view.getComputedStyle(element).display === "inline";
	const box = element.getBoundingClientRect();
	const parent = element.parentElement.getBoundingClientRect();

	// Nothing to see is nothing that sticks out.
	if (!box.width || inScroller(element, view))
		return null;
	// Half a pixel is rounding.
	if (box.left < parent.left - 0.5 || box.right > parent.right + 0.5)
		return "sticks out of its parent";
	if (!inline && !scrolls(element, view) &&
	    element.scrollWidth > element.clientWidth + 1)
		return "is too narrow for its content";
	return null;
}

// Has the element text of its own, and not only in other elements?
function hasText(element) {
	return [...element.childNodes].some(
		node => node.nodeType === 3 && node.textContent.trim());
}

// Red, green, blue from 0 to 255, and how much of what is behind is covered.
function colour(text) {
	const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
	return {parts: [red, green, blue], alpha};
}

// What is behind the text: the nearest colour that lets nothing through.
function ground(element, view) {
	for (let up = element; up; up = up.parentElement) {
		const behind = colour(view.getComputedStyle(up).backgroundColor);
		if (behind.alpha === 1)
			return behind.parts;
	}
	// A page that sets none has that of the browser.
	return view.matchMedia("(prefers-color-scheme: dark)").matches &&
	       view.getComputedStyle(element).colorScheme.includes("dark") ?
	       [18, 18, 18] : [255, 255, 255];
}

function luminance(parts) {
	const [red, green, blue] = parts.map(part => {
		const share = part / 255;
		return share <= 0.04045 ? share / 12.92 :
					  ((share + 0.055) / 1.055) ** 2.4;
	});
	return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(element, view) {
	const text = colour(view.getComputedStyle(element).color).parts;
	const [dark, light] = [luminance(text), luminance(ground(element, view))]
		.sort((one, other) => one - other);
	return (light + 0.05) / (dark + 0.05);
}

// Boxes of text and pictures, but for those in what scrolls, which are cut off.
function boxesIn(view) {
	return [...view.document.body.querySelectorAll("*")]
		.filter(element => hasText(element) || element.tagName === "IMG")
		.filter(element => !inScroller(element, view))
		.map(element => ({element, box: element.getBoundingClientRect()}))
		.filter(({box}) => box.width && box.height);
}

function cover(one, other) {
	if (one.element.contains(other.element) ||
	    other.element.contains(one.element))
		return false;
	return one.box.left < other.box.right - 1 &&
	       other.box.left < one.box.right - 1 &&
	       one.box.top < other.box.bottom - 1 &&
	       other.box.top < one.box.bottom - 1;
}

function nameOf(element) {
	const text = element.textContent.trim().slice(0, 40);
	return `${element.tagName} "${text}"`;
}

function coveredIn(view) {
	const boxes = boxesIn(view);
	return boxes.flatMap((one, index) => boxes.slice(index + 1)
		.filter(other => cover(one, other))
		.map(other => `${nameOf(one.element)} and ` +
			      `${nameOf(other.element)} cover each other`));
}

function unreadableIn(view) {
	return [...view.document.body.querySelectorAll("*")]
		.filter(element => hasText(element) &&
				   element.getBoundingClientRect().width)
		.map(element => ({element, ratio: contrast(element, view)}))
		.filter(({ratio}) => ratio < CONTRAST)
		.map(({element, ratio}) => `${nameOf(element)} has a contrast of ` +
					   ratio.toFixed(1));
}

function faultsIn(frame) {
	const view = frame.contentWindow;
	const found = [];

	for (const folded of view.document.querySelectorAll("details"))
		folded.open = true;
	for (const element of view.document.body.querySelectorAll("*")) {
		const fault = faultOf(element, view);
		if (fault)
			found.push(`${nameOf(element)} ${fault}`);
	}
	found.push(...coveredIn(view), ...unreadableIn(view));
	return {
		width: frame.clientWidth,
		dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
		seen: view.document.body.querySelectorAll("*").length,
		found,
	};
}

window.addEventListener("load", () => {
	const frames = [...document.querySelectorAll("iframe")];
	const result = document.createElement("pre");

	result.id = "result";
	result.textContent = JSON.stringify(frames.map(faultsIn));
	document.body.replaceChildren(result);
});
