import type { RECIPES, RecipeName } from './recipes.mjs';
export function pictureOf(recipe: (typeof RECIPES)[RecipeName]): string;
