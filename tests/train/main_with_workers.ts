/** A program that trains with workers and is, wrongly, their module as well. */
import { fit, multiply, sum, type Tensor, tensor } from "@seqmix/seqmix";

export const loss = (params: Tensor, batch: Tensor) => sum(multiply(params, batch));
const options = { params: tensor([1], []), workers: 2, module: import.meta.url, lossName: "loss", epochs: 1 };
for await (const { trainLoss } of fit(loss, { train: [1, 2] }, options)) if (Number.isNaN(trainLoss)) break;
