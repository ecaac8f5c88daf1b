/** Keep the screen on and ask before the page is left, where the browser lets us. @returns how to end it */
export function stayAwake(): () => void {
  const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
  const lock = navigator.wakeLock?.request('screen').catch(() => null);
  addEventListener('beforeunload', ask);
  return () => {
    removeEventListener('beforeunload', ask);
    void lock?.then((held) => held?.release());
  };
}
