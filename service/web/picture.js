// The uploaded picture, decoded by the browser and shown from where it is: nothing of it is sent anywhere.

import { element } from "./elements.js";

// What the browser cannot decode the service may still read, or explain why not.
export async function decoded(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

export const dataAddress = ({ media_type, data }) => `data:${media_type};base64,${data}`;

export async function grayPicture(page) {
  const image = new Image();
  image.src = dataAddress(page.gray);
  await image.decode();
  return image;
}

// `box` and `page` are in the reading's pixels, which are not the file's where the page was scaled.
export function cropped(picture, box, page, label, scale = 1) {
  const canvas = element("canvas", [], { role: "img", "aria-label": label });
  canvas.width = Math.round(box.width_px * scale);
  canvas.height = Math.round(box.height_px * scale);
  const across = picture.width / page.width_px;
  const down = picture.height / page.height_px;
  const source = [box.left_px * across, box.top_px * down, box.width_px * across, box.height_px * down];
  canvas.getContext("2d").drawImage(picture, ...source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

export function thumbnail(picture, label, width_px = 480) {
  const whole = { left_px: 0, top_px: 0, width_px: picture.width, height_px: picture.height };
  return cropped(picture, whole, whole, label, Math.min(1, width_px / picture.width));
}

// An address of the file for as long as it is shown; null where the browser cannot show the file.
export function addressOfPicture(file, picture) {
  if (!(picture instanceof ImageBitmap)) return { address: null, done: () => {} };
  const address = URL.createObjectURL(file);
  return { address, done: () => URL.revokeObjectURL(address) };
}
