export const webInterfaces = {};
