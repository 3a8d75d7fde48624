// Loaded with the first file that comes or goes: most pages have none.
export { downloadFile, downloadPreview, uploadFile } from "@parley/client/files";
