import { KindRouter } from 'typedoc';

/** Gives each guide the address that it has in the map, and everything else that of its kind and name. */
export const pagesRouter = (addresses) =>
  class extends KindRouter {
    getIdealBaseName(reflection) {
      return addresses.get(reflection) ?? super.getIdealBaseName(reflection);
    }
  };
