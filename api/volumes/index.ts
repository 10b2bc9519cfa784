export * from './attachments';
export * from './claims';
export * from './match';
export * from './names';
export * from './reserve';
