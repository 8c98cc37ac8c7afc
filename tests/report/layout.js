// SPDX-License-Identifier: GPL-2.0
// Lists the elements of a page whose content is wider than they are, or that
// stick out of their parent, and writes the list where the test finds it.

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

function faultsIn(frame) {
	const view = frame.contentWindow;
	const found = [];

	for (const folded of view.document.querySelectorAll("details"))
		folded.open = true;
	for (const element of view.document.body.querySelectorAll("*")) {
		const fault = faultOf(element, view);
		if (fault) {
			const text = element.textContent.trim().slice(0, 40);
			found.push(`${element.tagName} "${text}" ${fault}`);
		}
	}
	const seen = view.document.body.querySelectorAll("*").length;
	return {width: frame.clientWidth, seen, found};
}

window.addEventListener("load", () => {
	const frames = [...document.querySelectorAll("iframe")];
	const result = document.createElement("pre");

	result.id = "result";
	result.textContent = JSON.stringify(frames.map(faultsIn));
	document.body.replaceChildren(result);
});
