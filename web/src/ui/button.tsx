// SPDX-License-Identifier: Apache-2.0

import type { ComponentChildren, JSX } from 'preact';
import { Icon, type IconName } from './icon.tsx';

type ButtonProps = Omit<JSX.IntrinsicElements['button'], 'icon'> & {
    /** `plain` has no border until touched; `primary` is the one action of a form. */
    kind?: 'normal' | 'plain' | 'primary';
    icon?: IconName;
    /** The name of a button that shows only an icon. */
    label?: string;
    children?: ComponentChildren;
};

export function Button({ kind = 'normal', icon, label, children, class: extra, ...rest }: ButtonProps) {
    const shape = children === undefined ? ' button-icon' : '';
    return (
        <button type="button" class={`button button-${kind}${shape} ${typeof extra === 'string' ? extra : ''}`} aria-label={label} title={label} {...rest}>
            {icon !== undefined && <Icon name={icon} />}
            {children}
        </button>
    );
}
