import { AppError } from '../util/errors';
import type { OrtLoader } from './ort';

/** onnxruntime-node: its CPU provider. @throws AppError BAD_REQUEST for a browser backend */
export const loadOrtNode: OrtLoader = async (backend, { logLevel }) => {
  if (backend !== 'node') throw new AppError('BAD_REQUEST', `Node cannot run the ${backend} backend`);
  const ort = await import('onnxruntime-node');
  ort.env.logLevel = logLevel;
  return ort;
};
