import type { Field, Fields } from '../../shared/index.js';
import type { Control, Group } from '../webview/messages.js';

/** How fields become a form. */
interface RenderOptions {
  /** Whether a list to pick from can be offered for a resource. */
  pickable?: (ref: string) => boolean;
  leaveOut?: readonly string[];
  /** The heading of fields without a group. */
  general?: string;
}

/** Fields as groups of controls: required ones first, groups in the order of the table. */
export function render(
  fields: Fields,
  { pickable = () => false, leaveOut = [], general }: RenderOptions = {},
): Group[] {
  const groups = new Map<string, Control[]>();
  for (const [name, field] of Object.entries(fields)) {
    if (leaveOut.includes(name)) continue;
    const key = field.group ?? '';
    const group = groups.get(key) ?? [];
    group.push(control(name, field, pickable));
    groups.set(key, group);
  }
  return [...groups].map(([title, controls]) => ({
    ...(title || general ? { title: title || general! } : {}),
    controls: [...controls.filter(one => one.required), ...controls.filter(one => !one.required)],
  }));
}

/** One field as one control. */
export function control(name: string, field: Field, pickable: (ref: string) => boolean = () => false): Control {
  const common = {
    name,
    label: field.label,
    ...(field.help ? { help: field.help } : {}),
    ...(field.example ? { example: field.example } : {}),
    ...(field.required ? { required: true } : {}),
    ...(field.clearable ? { clearable: true } : {}),
  };
  const options = (choices: Readonly<Record<string, string>>) =>
    Object.entries(choices).map(([value, label]) => ({ value, label }));
  switch (field.type) {
    case 'text': {
      const pick = field.ref !== undefined && pickable(field.ref) ? { pick: true } : {};
      const longest = field.maxLength === undefined ? {} : { maxLength: field.maxLength };
      if (field.secret) return { ...common, kind: 'secret', ...longest };
      if (field.lines || field.format === 'html')
        return { ...common, kind: 'area', rows: Math.min(field.lines ?? 6, 16), ...longest };
      return { ...common, kind: 'text', ...pick, ...longest };
    }
    case 'number':
      return {
        ...common,
        kind: 'number',
        ...(field.min === undefined ? {} : { min: field.min }),
        ...(field.max === undefined ? {} : { max: field.max }),
        ...(field.fraction ? { fraction: true } : {}),
      };
    case 'flag':
      return { ...common, kind: 'flag' };
    case 'time':
      return { ...common, kind: 'time' };
    case 'json':
      return { ...common, kind: 'json', rows: 6 };
    case 'choice':
      return { ...common, kind: 'choice', options: options(field.choices), ...(field.open ? { open: true } : {}) };
    case 'file':
      return { ...common, kind: 'files' };
    case 'list':
      if (field.of.type === 'choice' && !field.of.open)
        return { ...common, kind: 'choices', options: options(field.of.choices) };
      if (field.of.type === 'file') return { ...common, kind: 'files', many: true };
      return {
        ...common,
        kind: 'lines',
        many: true,
        ...(field.of.type === 'text' && (field.of.format === 'address' || field.of.format === 'email')
          ? { addresses: true }
          : {}),
        ...(field.of.ref !== undefined && pickable(field.of.ref) ? { pick: true } : {}),
        ...(field.example === undefined && field.of.example ? { example: field.of.example } : {}),
      };
  }
}
