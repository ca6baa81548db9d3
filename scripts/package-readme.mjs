/** The page that VS Code shows of the installed extension: README.md without what concerns this repository alone. */

const repositoryOnly = /<!-- not in the package -->[\s\S]*?<!-- \/not in the package -->\n*/g;
const localPicture = /^ *!\[[^\]]*\]\((?!https:)[^)]*\)\n+/gm;
const localLink = /\[([^\]]*)\]\((?!https:)[^)]*\)/g;

/**
 * Pictures are left out unless they come from https: VS Code shows no others there, neither files of the package nor data
 * (docs/decisions/0015-page-of-the-extension.md). Links to pages that do not ship leave their words.
 */
export function packageReadme(readme) {
  return readme.replaceAll(repositoryOnly, "").replaceAll(localPicture, "").replaceAll(localLink, "$1");
}
