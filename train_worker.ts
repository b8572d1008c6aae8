/**
 * The worker of `fit`, which starts it; nothing to call.
 *
 * @module
 */
import "./bundle/worker.js";
