// A list of any length in an element that is no higher than browsers allow: where the reader is in the list, and where the element stands
// for that. Near steps (wheel, arrows, a page) move pixel by pixel, far ones (the scroll bar, End) in proportion.

/** Height of the element at most. Firefox cuts off at 17.9 million pixels, Chromium and Safari at 33.5 million. */
export const tallest = 16_000_000;

/** Windows of a step that is far. */
const far = 4;

export class Stretch {
	/** What the place in the list has over that of the element. */
	shift = 0;
	private last = 0;

	/** Height of the whole list, and of what is seen of it. */
	constructor(
		private total = 0,
		private view = 0,
	) {}

	/** Takes the height of the list and of the window. */
	resize(total: number, view: number): void {
		this.total = total;
		this.view = view;
		if (!this.stretched) this.shift = 0;
	}

	/** Where the element belongs for a place in the list. */
	placeOf(top: number): number {
		if (!this.stretched || top <= 0) return top;
		const rest = top - (this.total - this.view);
		return rest >= 0 ? tallest - this.view + rest : (top * (tallest - this.view)) / (this.total - this.view);
	}

	/** The element was scrolled to a place: returns where that is in the list. */
	follow(place: number): number {
		if (this.stretched && Math.abs(place - this.last) > far * this.view) this.shift = this.topOf(place) - place;
		this.last = place;
		return place + this.shift;
	}

	/** The element was moved to a place without the reader: the place in the list stays as it is said. */
	moved(place: number, top: number): void {
		this.last = place;
		this.shift = this.stretched ? top - place : 0;
	}

	/** Whether the element must move before the reader can go on: at its end, and not at that of the list, or the other way round. */
	stuck(place: number): boolean {
		const top = place + this.shift;
		const [end, last] = [tallest - this.view, this.total - this.view];
		return this.stretched && (place <= 0 !== top <= 0 || place >= end - 1 !== top >= last - 1);
	}

	private get stretched(): boolean {
		return this.total > tallest;
	}

	private topOf(place: number): number {
		if (place <= 0) return place;
		const rest = place - (tallest - this.view);
		return rest >= 0 ? this.total - this.view + rest : (place * (this.total - this.view)) / (tallest - this.view);
	}
}
