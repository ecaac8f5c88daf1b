/** The studio's mark, as in public/icons: a picture, half of it changed. */
export function Mark() {
  return (
    <svg aria-hidden="true" width="22" height="22" viewBox="64 64 384 384">
      <defs>
        <linearGradient id="mark" x1="0" y1="0" x2="1" y2="1">
          <stop offset="0" stopColor="#ffd27a" />
          <stop offset="1" stopColor="#ef6f53" />
        </linearGradient>
      </defs>
      <path d="M248 92a164 164 0 0 0 0 328z" fill="#85858e" />
      <path d="M264 92a164 164 0 0 1 0 328z" fill="url(#mark)" />
    </svg>
  );
}
