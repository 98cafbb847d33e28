/* global document */
// A guide that was found shows the place where the words are: error codes and events stand in long tables.
document.addEventListener(
  'click',
  ({ target }) => {
    const link = target.closest?.('#tsd-search-results a');
    const words = document.querySelector('#tsd-search-input')?.value.trim();
    if (!link || !words || !/\/guides\/[^#]*$/.test(link.href)) return;
    link.href += `#:~:text=${encodeURIComponent(words).replaceAll('-', '%2D')}`;
  },
  true,
);
