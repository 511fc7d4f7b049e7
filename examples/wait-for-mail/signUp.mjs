import { createTransport } from 'nodemailer';

/** Sends the message that ends a registration. The host and the port come from the environment, as in production. */
export async function signUp(address, env = process.env) {
  const transport = createTransport({ host: env.SMTP_HOST, port: Number(env.SMTP_PORT) });
  const code = String(Math.floor(100_000 + Math.random() * 900_000));
  try {
    await transport.sendMail({
      from: 'Shop <hello@shop.example>',
      to: address,
      subject: 'Confirm your address',
      text: `Your code is ${code}.\n\nOr open https://shop.example/confirm?code=${code}`,
      html: `<p>Your code is <b>${code}</b>.</p><p><a href="https://shop.example/confirm?code=${code}">Confirm</a></p>`,
    });
    return { code };
  } finally {
    transport.close();
  }
}
