// Small line drawings, 16 by 16; always beside words, so hidden from readers.
const PATHS = {
  gear: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1v2M8 13v2M1 8h2M13 8h2M3.05 3.05l1.4 1.4M11.55 11.55l1.4 1.4M3.05 12.95l1.4-1.4M11.55 4.45l1.4-1.4",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13.5 9.6A5.8 5.8 0 1 1 6.4 2.5a4.6 4.6 0 0 0 7.1 7.1z",
  auto: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2v12M8 5h4.8M8 8h6M8 11h4.8",
  key: "M10.5 2.5a3 3 0 1 1-2 5.2L3 13.2V14h-.5v-2.8l5.4-5.4a3 3 0 0 1 2.6-3.3M4.5 11.5l1.5 1.5",
  upload: "M8 10.5V2.5M4.8 5.5 8 2.4l3.2 3.1M2.5 10v2.5a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1V10",
  restart: "M13.2 8a5.2 5.2 0 1 1-1.6-3.8M12.8 1.8v2.9H9.9",
  stop: "M3.5 3.5h9v9h-9z",
  warn: "M8 2 14.5 13.5h-13zM8 6.2v3.6M8 11.6v.2",
  pause: "M5.5 3v10M10.5 3v10",
  stall: "M5.5 1.8h5L14.2 5.5v5l-3.7 3.7h-5L1.8 10.5v-5zM8 4.8v4M8 10.8v.2",
  crown: "M2.5 12.5h11M2.5 10.5 2 4.5l3.4 2.6L8 3l2.6 4.1L14 4.5l-.5 6z",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  spread: "M2.5 4h5M2.5 8h11M2.5 12h8",
  back: "M9.5 3 4.5 8l5 5",
  wait: "M4 1.8h8M4 14.2h8M4.8 1.8c0 4 6.4 8.4 6.4 12.4M11.2 1.8c0 4-6.4 8.4-6.4 12.4",
  up: "M8 13V3.2M4.2 7 8 3.1 11.8 7",
  down: "M8 3v9.8M4.2 9 8 12.9 11.8 9",
  file: "M4 1.8h5l3 3v9.4H4zM9 1.8v3h3",
};

export function Icon({ name }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
