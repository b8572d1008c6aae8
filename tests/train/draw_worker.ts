/** Draws parts in a thread of its own. */
import { type Board, drawParts } from "../../src/train/board.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ board: Board; first: number; worker: number; parts: number }>) => void;
  postMessage(drawn: number[]): void;
};

scope.onmessage = ({ data: { board, first, worker, parts } }) => {
  scope.postMessage([...drawParts(board, first, worker, parts)]);
};
