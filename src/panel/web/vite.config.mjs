// Bundles the panel: panel/main.tsx to assets/panel.js and assets/panel.css, which index.html names. The other pages
// are not touched. `npm run dev` serves the panel as it is edited, with the calls of a server that runs on port 5080, or
// at MILLSTREAM.

import { defineConfig } from 'vite';

const server = process.env.MILLSTREAM ?? 'http://localhost:5080';

export default defineConfig({
  base: './',
  publicDir: false,
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    copyPublicDir: false,
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      input: 'panel/main.tsx',
      output: {
        entryFileNames: 'panel.js',
        assetFileNames: 'panel[extname]',
        inlineDynamicImports: true,
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/rest', '/server.json', '/LiveApp', '/live', '/assets'].map((path) => [path, { target: server, ws: true }]),
    ),
  },
  plugins: [
    {
      name: 'panel-as-it-is-edited',
      apply: 'serve',
      transformIndexHtml: (html) => html
        .replace('assets/panel.js', 'panel/main.tsx')
        .replace('<link rel="stylesheet" href="assets/panel.css">', ''),
    },
  ],
});
