export function shout(text: string) {
  return `${text.toUpperCase()}!`;
}
