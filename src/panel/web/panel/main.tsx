// The panel: one page that shows and changes what the server does, by the calls that scripts use.

import { render } from 'preact';
import { App, applyTheme } from './app';
import { start } from './live';
import './panel.css';

applyTheme();
const place = document.getElementById('panel');
if (place) render(<App />, place);
void start();
