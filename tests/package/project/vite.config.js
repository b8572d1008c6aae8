// The dev server would bundle dependencies into files elsewhere, away from the worker's file.
export default { optimizeDeps: { exclude: ["@seqmix/seqmix"] } };
