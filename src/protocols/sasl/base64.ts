// Base64 as strict as RFC 6120 §13.9.1 wants it: RFC 4648 §4, nothing else.

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Decodes base64, or gives null for text that is not exactly what encoding would have made: other characters, line
 * breaks, misplaced or missing padding, bits set in the padding.
 */
export function decodeBase64(text: string): Buffer | null {
  if (!BASE64.test(text)) return null;
  const data = Buffer.from(text, 'base64');
  return data.toString('base64') === text ? data : null;
}
