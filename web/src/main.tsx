// SPDX-License-Identifier: Apache-2.0

import { render } from 'preact';
import { ErrorBoundary, lazy, LocationProvider, Route, Router } from 'preact-iso';
import { basePath } from './app/base.ts';
import { pages } from './app/pages.ts';
import { Shell } from './app/shell.tsx';
import { applyTheme } from './app/theme.ts';
import { startClock } from './time/state.ts';
import { Empty } from './ui/states.tsx';
import './ui/tokens.css';
import './ui/base.css';
import './ui/kit.css';
import './app/shell.css';

const routes = pages.flatMap((page) => {
    const component = lazy(page.load);
    return [page.path, ...(page.aliases ?? [])].map((path) => ({ path: basePath + path, component }));
});

function NotFound() {
    return (
        <main class="page">
            <Empty title="There is no such page">
                <a href={basePath}>Go to the start page</a>
            </Empty>
        </main>
    );
}

function App() {
    return (
        <LocationProvider>
            <Shell>
                <ErrorBoundary>
                    <Router>
                        {routes.map((r) => (
                            <Route key={r.path} path={r.path} component={r.component} />
                        ))}
                        <Route default component={NotFound} />
                    </Router>
                </ErrorBoundary>
            </Shell>
        </LocationProvider>
    );
}

applyTheme();
startClock();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
